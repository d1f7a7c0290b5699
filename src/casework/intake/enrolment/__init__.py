"""Taking people on: one by one or from a file, with posts granted at the shell or asked for with four eyes."""
