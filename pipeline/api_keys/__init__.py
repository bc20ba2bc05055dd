"""API keys: what they let their holders do, how they look, where they are kept."""
