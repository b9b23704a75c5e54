"""Data, splits, training, packages."""
