"""A branch's daily work: cases and what belongs to them, four eyes, hand-over."""
