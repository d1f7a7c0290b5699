"""Collection of overdue loans: charts as data, one door to the state, every step on record."""
