"""The first page: what waits for whoever looks."""
