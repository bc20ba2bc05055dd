"""How well and how fast the core matches, on data whose truth is known: `python -m bench.matching`."""
