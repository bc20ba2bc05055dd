"""Webhooks: changes sent to addresses that others named, signed, and kept out of the house's own network."""
