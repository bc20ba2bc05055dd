"""How long what is known is kept: rules of the deployment, what is due by them, and having it go as planned."""
