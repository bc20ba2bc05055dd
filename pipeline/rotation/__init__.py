"""Another version of the keys takes the place of one, while events flow (docs/keys.md, docs/adr/0031)."""
