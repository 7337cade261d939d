"""`python -m lookalike.cli` is `lookalike`."""

from lookalike.cli.main import main

main()
