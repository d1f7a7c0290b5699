"""What every page shares: the frame around it, words, formats, forms, the cookie, errors, style and script."""
