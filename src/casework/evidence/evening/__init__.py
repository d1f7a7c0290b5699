"""17:00 (5.2): who has handed in what they did that day, as it was handed in; what is missing; the daily report."""
