"""What diallers, agencies and collectors report: a file → rows → the log of contacts → what cases learn of it."""
