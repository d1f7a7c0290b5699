"""Cases: what a case is, what may happen to it, and the one door through which it does."""
