"""Files of rows that people send, of whatever kind: columns declared once, faults told, rows to mend, templates."""
