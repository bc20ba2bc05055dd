"""The fault campaign: whether the promises held, found out apart from the pipeline that made them."""
