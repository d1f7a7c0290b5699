"""The way in: log-in, the password of a one-time code, the language, the way out."""
