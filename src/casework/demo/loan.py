"""One loan of the invented branch: how it came about, what it owes."""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final

from casework.demo import people
from casework.months import months_between

# Of the loans in arrears on the first day: lowest and highest days past due, and how many parts of the whole.
_MIX: Final = (
    (1, 30, 34),
    (31, 60, 18),
    (61, 90, 12),
    (91, 120, 8),
    (121, 150, 6),
    (151, 180, 5),
    (181, 365, 8),
    (400, 1900, 9),
)
_FIFTY_THOUSAND: Final = 5_000_000  # fen; the rules change here, so loans lie on it and at both sides


@dataclass
class Loan:
    """A loan on the books, and in arrears while it has an oldest due date; amounts in fen."""

    loan_id: str
    borrower_id: str
    product: str
    channel: str
    owner: str
    team: str
    region: str
    disbursed_on: date
    self_payment: bool
    principal_fen: int
    outstanding_fen: int
    instalment_fen: int
    due_day: int  # of the month, at most 28
    oldest_due: date | None
    in_story: bool = False  # its month is written elsewhere, chance leaves it alone
    on_the_books: bool = True

    def arrears(self, day: date) -> tuple[int, int, int]:
        """Principal, interest and penalty overdue at the close of `day`; they grow with each due date."""
        if self.oldest_due is None:
            return 0, 0, 0
        months = months_between(self.oldest_due, day - timedelta(days=1)) + 1
        principal = min(self.instalment_fen * months, max(self.outstanding_fen, self.instalment_fen))
        return principal, principal // 50, principal * months // 400

    def days_past_due(self, day: date) -> int:
        """Days from the oldest due date to `day`, 0 without one."""
        return (day - self.oldest_due).days if self.oldest_due else 0


def new_loan(random: Random, number: int, borrowers: int, first_day: date) -> Loan:
    """Loan `number` of a branch with that many borrowers, as it stands when the first day begins."""
    in_arrears = random.random() < 0.3
    low, high, _ = random.choices(_MIX, [parts for *_, parts in _MIX])[0]
    due = first_day - timedelta(days=random.randint(low, high)) if in_arrears else None
    if due is not None and due.day > 28:
        due = due.replace(day=28)
    since = (due or first_day) - timedelta(days=random.randint(40, 700))
    if due is None and random.random() < 0.05:
        since = first_day - timedelta(days=random.randint(0, 12))  # fresh: its call-back is due
    principal_fen = random.choice(
        (_FIFTY_THOUSAND, _FIFTY_THOUSAND - 100_000, _FIFTY_THOUSAND + 100_000)
        if random.random() < 0.15
        else range(1_000_000, 30_000_001, 100_000)
    )
    paid = 0 if principal_fen == _FIFTY_THOUSAND or random.random() < 0.1 else random.randint(0, 80)
    team, region = random.choice(people.TEAMS)
    leaver = random.random() < 0.02  # nobody on the staff has this number any more
    haihua = random.random() < 0.25
    return Loan(
        loan_id=f"D{number:06d}",
        # Some borrowers have two loans.
        borrower_id=f"B{(number - 1) % borrowers + 1:06d}",
        product="haihua" if haihua else "consumer",
        channel=f"C{random.randint(1, 8):02d}" if random.random() < 0.7 else "",
        owner="S099" if leaver else f"S{random.randint(1, people.REPS):03d}",
        team=team,
        region=region,
        disbursed_on=since,
        self_payment=random.random() < 0.3,
        principal_fen=principal_fen,
        outstanding_fen=principal_fen * (100 - paid) // 100,
        instalment_fen=principal_fen // 24 // 100 * 100,
        due_day=due.day if due else random.randint(1, 28),
        oldest_due=due,
    )


def next_month(day: date) -> date:
    """The same day a month later; `day` is at most the 28th."""
    return day.replace(year=day.year + day.month // 12, month=day.month % 12 + 1)
