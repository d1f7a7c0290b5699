"""Giving out a morning's cases: preview, run behind with its progress, what it did."""
