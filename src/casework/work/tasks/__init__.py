"""Task lists (5.2): what each person finds in the morning, ranked and explained, as it was handed out."""
