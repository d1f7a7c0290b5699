"""Days of the branch: what the calendar's library does not know of them, and on which of them something was out."""
