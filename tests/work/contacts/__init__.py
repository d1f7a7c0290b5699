"""Contacts: results, log, import, what cases learn."""
