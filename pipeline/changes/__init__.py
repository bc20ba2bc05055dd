"""What the house tells others, message by message: the output topics as typed changes, for feed and webhooks."""
