"""Ordered, forward-only plain SQL; applied by yoyo through `retail-brain migrate`."""
