"""Retail Brain: raw events in, one trustworthy profile per customer out."""
