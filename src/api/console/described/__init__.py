"""The API as it describes itself, for people: its operations by group, its problems by code."""
