"""Stored events decided again by today's logic, beside the live house, and put in force at once."""
