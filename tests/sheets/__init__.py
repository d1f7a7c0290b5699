"""Files of rows of every kind: their faults, rows to mend, templates."""
