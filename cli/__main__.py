"""`python -m cli`: the same as `retail-brain`."""

from cli.main import main

main()
