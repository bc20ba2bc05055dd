"""Taking profiles apart on a steward's word: merges undone, records taken out, each rehearsed first."""
