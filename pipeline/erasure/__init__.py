"""Forgetting people: what is known of a customer is destroyed, and a signed receipt says what was done where."""
