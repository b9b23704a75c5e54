"""Learning to find: boxes and points as values, what finds them without a network, and how what was found is judged."""
