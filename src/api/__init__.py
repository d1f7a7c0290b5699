"""The HTTP face: one file per noun; translates, never decides."""
