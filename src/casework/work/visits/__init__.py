"""Home visits: what is kept of one, who goes, when and how it is made."""
