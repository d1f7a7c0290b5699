"""Handing cases over when somebody leaves or moves: plan, preview, approval, apply, receipts."""
