"""Dead letters at hand: filed, looked at, mended, replayed or dropped."""
