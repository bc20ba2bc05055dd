"""Charts as SVG: pure functions from numbers and words to one self-contained text, without script, font or address."""
