"""Charts and policies as data: read, checked whole, decided, drawn. Knows nothing of cases."""
