"""The HTTP edge: takes events in, answers questions, passes stewards' actions on. No identity rule is here."""
