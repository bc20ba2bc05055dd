"""Explanations from what is stored: read, put together, and told as data, text and picture."""
