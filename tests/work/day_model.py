"""A second reading of docs/day.md, §§3 to 5 and 7, slow and plain: what is lost, reached, kept and broken.

The gate is read in `tests.work.gate.model`, whose rows and holds these are. Nothing of the service's rules is used.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from tests.work.gate.model import OF_ALL_LOANS, ZONE, World

DAY = timedelta(days=1)
GRACE = DAY


@dataclass
class Promised:
    """A promise: what counts for it, by payment; as what it was judged, and when."""

    ref: str
    loan: str
    made_on: date
    pay_by: date
    amount: int
    counted: dict[str, int] = field(default_factory=dict)
    state: str = "open"
    judged_on: date | None = None
    open_until: date = date.max  # the day of the first judgement

    @property
    def age(self) -> tuple[date, date, str]:
        return self.made_on, self.pay_by, self.ref

    def judge(self, on: date) -> None:
        came = sum(self.counted.values())
        self.state = "kept" if came >= self.amount else "partly_kept" if came else "broken"
        self.judged_on = on
        self.open_until = min(on, self.open_until)


@dataclass
class Paid:
    """A payment, until it is taken back."""

    ref: str
    loan: str
    paid_on: date
    amount: int


@dataclass
class Days(World):
    """All that is known. `loans`: whose each is; `owed_since`: days past due on the first day."""

    loans: dict[str, str] = field(default_factory=dict)
    past_due: dict[str, int] = field(default_factory=dict)
    first_day: date = date.min
    promises: list[Promised] = field(default_factory=list)
    payments: list[Paid] = field(default_factory=list)
    lost_on: dict[str, date] = field(default_factory=dict)
    back_on: dict[str, date] = field(default_factory=dict)
    steps: list[tuple[str, str, date]] = field(default_factory=list)

    # ── lost and reached ────────────────────────────────────────────────────────────────────────────────────────────

    def connected(self, debtor: str, on: date) -> None:
        """A contact in which the debtor was spoken to is on record: what is lost is found again."""
        for loan in [loan for loan, of in self.loans.items() if of == debtor and loan in self.lost_on]:
            self.back_on[loan] = max(on, self.lost_on.pop(loan))
            self.steps.append((loan, "reached", self.back_on[loan]))

    def close(self, on: date) -> None:
        """The day ends: promises first, then who was silent on it and on the four days before."""
        for one in self.promises:
            if one.state == "open" and one.pay_by + GRACE <= on:
                one.judge(on)
        for loan, debtor in self.loans.items():
            five = [on - DAY * back for back in range(4, -1, -1)]
            eligible = five[0] >= self.first_day and self.past_due[loan] + (five[0] - self.first_day).days >= 4
            counting = five[0] > self.back_on.get(loan, date.min) and loan not in self.lost_on
            if eligible and counting and all(self.silent(loan, debtor, day) for day in five):
                self.lost_on[loan] = on
                self.steps.append((loan, "mark_lost", on))
                later = [row.day for row in self.rows if row.debtor == debtor and row.reached and row.day > on]
                if later:  # a day closed late: the debtor was found since
                    self.connected(debtor, min(later))

    def silent(self, loan: str, debtor: str, day: date) -> bool:
        """Two attempts, nobody reached, nothing that spoils the day."""
        begins = datetime.combine(day, time(), ZONE)
        of_day = [row for row in self.rows if row.debtor == debtor and row.day == day]
        held = any(
            since < begins + DAY and (until is None or until > begins)
            and (named == loan or (kind in OF_ALL_LOANS and whose == debtor))
            for kind, whose, named, since, until in self.holds
        )  # fmt: skip
        promised = any(
            one.loan == loan and one.made_on <= day <= one.open_until for one in self.promises
        )  # fmt: skip
        attempts = sum(row.called and row.party == "debtor" and not row.late for row in of_day)
        return attempts >= 2 and not any(row.reached for row in of_day) and not held and not promised

    # ── promises ────────────────────────────────────────────────────────────────────────────────────────────────────

    def count(self, on: date) -> None:
        """Money goes to open promises of its loan, the oldest first; none of it twice."""
        for paid in sorted(self.payments, key=lambda one: (one.paid_on, one.ref)):
            for one in sorted(self.promises, key=lambda one: one.age):
                left = paid.amount - sum(other.counted.get(paid.ref, 0) for other in self.promises)
                needs = one.amount - sum(one.counted.values())
                in_time = one.made_on <= paid.paid_on <= one.pay_by + GRACE
                if one.state == "open" and one.loan == paid.loan and in_time and min(left, needs) > 0:
                    one.counted[paid.ref] = one.counted.get(paid.ref, 0) + min(left, needs)
        for one in self.promises:
            if one.state == "open" and sum(one.counted.values()) >= one.amount:
                one.judge(on)

    def take_back(self, paid: Paid, on: date) -> None:
        """A payment was reversed: what rested on it is judged again."""
        self.payments.remove(paid)
        for one in self.promises:
            if one.counted.pop(paid.ref, None) is not None and one.state != "open":
                one.judge(on)
        self.count(on)
