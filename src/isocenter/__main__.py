"""``python -m isocenter`` is the command line."""

from isocenter.cli.main import main

main()
