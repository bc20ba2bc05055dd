"""A match model learnt from records: the file it is kept in, what it was learnt from, and the report beside it."""
