"""Cases: the list, one case with all that may be done, its past, its chart."""
