"""Those who train on the same cases within the same budget; each runs in a process of its own."""
