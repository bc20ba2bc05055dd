"""The change feed: one reader at the ends of the topics for all subscribers, and one each for those that catch up."""
