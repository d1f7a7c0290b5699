"""Feeds: runs, an upload with its progress, rows that were set aside."""
