"""My day: the list of the morning, what it has come to so far, promises that are due."""
