"""Everything stored against clustering it from scratch."""
