"""The proof of privacy: after a run with marked personal data no marked value is found anywhere but in events.raw."""
