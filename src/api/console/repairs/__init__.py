"""Information repairs: one with the sources that may be asked and those that may not; who could not be repaired."""
