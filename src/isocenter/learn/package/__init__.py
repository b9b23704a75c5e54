"""Model packages: one file that holds a model, what it needs to be used, and what it proved."""
