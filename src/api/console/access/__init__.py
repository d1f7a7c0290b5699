"""One's own access: sessions to look at and end, the second factor with its QR code."""
