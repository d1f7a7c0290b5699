"""Files of repayments and of staff: sent, taken in behind the page, what was set aside."""
