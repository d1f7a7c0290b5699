"""The roster (班表): who has which shift on which day, and who answers in the place of somebody who is off."""
