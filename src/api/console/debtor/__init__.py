"""Work one debtor: everything a call needs on one page, the gate's answer before it, its outcome in one key."""
