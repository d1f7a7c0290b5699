"""17:00: handing in, what is kept, what is missing."""
