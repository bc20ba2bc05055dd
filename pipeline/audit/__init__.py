"""The audit log: what is written, how entries are chained, and how a chain is checked (docs/audit.md)."""
