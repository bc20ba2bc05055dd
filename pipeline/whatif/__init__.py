"""Another policy or model over the same records, in memory: what it would change."""
