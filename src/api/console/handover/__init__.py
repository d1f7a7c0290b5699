"""Hand-overs: plans with their preview, their approval, carrying them out behind, receipts."""
