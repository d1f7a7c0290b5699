"""17:00: what the day's duties came to by person, and contacts against the gate, to be reviewed."""
