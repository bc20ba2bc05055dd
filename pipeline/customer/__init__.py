"""What is told of one customer: figures, timeline, identifiers, history, relationships; and how customers are found."""
