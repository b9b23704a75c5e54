"""One verb, one file: what the command line, the site and Python code call."""
