"""A noun that nobody has heard of: all that it is, and what it can then do."""
