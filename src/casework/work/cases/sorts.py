"""How lists may be sorted: apart from the lists, so that a command's help, which only names it, imports no database."""

from typing import Literal

Sort = Literal["id", "-id", "overdue_fen", "-overdue_fen", "oldest_due_date", "-oldest_due_date"]
"""A minus is descending. Oldest due date ascending is days past due descending; not in arrears comes last."""

SortOfNouns = Literal["id", "-id", "due_on", "-due_on"]
"""A minus is descending; what has no day on which it is due comes last."""
