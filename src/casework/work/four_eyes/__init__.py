"""Four eyes: what one person asks for, another reviews and a third approves, before it happens."""
