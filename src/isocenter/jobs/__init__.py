"""One verb, one file: what the command line and the Python facade call."""
