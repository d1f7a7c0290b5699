"""Rules as data: charts and policies, read, checked whole, decided, drawn."""
