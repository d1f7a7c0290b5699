"""What reads the log for faults, and the faults that it may find."""
