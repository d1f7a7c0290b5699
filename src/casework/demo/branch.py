"""A branch that never was: its loans, and the daily feeds of a month, the same for the same seed.

The month has what a real one has: loans that fall overdue, pay, pay in part and grow older in every band;
old non-performing loans; a payment that bounces; rows that cannot be read; files in every form that comes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Final

from casework.demo import people
from casework.demo.files import FeedFile, Form, write_folder
from casework.demo.loan import Loan, new_loan, next_month
from casework.money import yuan_text

# What happens on which day of the month, counted from 0, so that a short month still has most of it.
_GZIP_DAYS: Final = frozenset({1, 13})
_BOM_DAY: Final = 2
_PAYMENT_DAY, _BOUNCE_DAY = 3, 6
_CHINESE_DAY: Final = 5
_FUTURE_DUE_DAY: Final = 9
_XLSX_DAY: Final = 11
_STRANGER_DAY: Final = 12
_NEGATIVE_DAY: Final = 16
_LOANS_EVERY: Final = 7

AGREED_LOAN: Final = "D000001"
"""Its debtor, long in arrears, pays what was agreed on between the first and the second act of the story."""
AGREED_FEN: Final = 800_000
_AGREED_DPD: Final = 250

# From how many days past due, the chance per day to pay everything that is due.
_CHANCE_TO_PAY: Final = ((91, 0.002), (61, 0.008), (31, 0.02), (0, 0.05))


@dataclass
class _Payments:
    """The money of one day."""

    day: date
    rows: list[list[str]] = field(default_factory=list)
    sum_fen: int = 0

    def add(self, loan_id: str, amount_fen: int, reverses: str = "") -> str:
        payment_id = f"P{self.day:%Y%m%d}-{len(self.rows) + 1:05d}"
        self.rows.append([payment_id, loan_id, self.day.isoformat(), yuan_text(amount_fen), reverses])
        self.sum_fen += amount_fen
        return payment_id


@dataclass
class _Branch:
    random: Random
    first_day: date
    loans: list[Loan]
    names: dict[str, str]
    acts: tuple[int, int, int]
    bounced: tuple[Loan, date, str, int] | None = None  # loan, its old due date, payment, fen

    def day(self, number: int) -> list[FeedFile]:
        """Let one day pass and say what the core-banking system sends at its close."""
        day = self.first_day + timedelta(days=number)
        payments = _Payments(day)
        whole = number % _LOANS_EVERY == 0
        if number:
            for loan in self.loans:
                if loan.on_the_books and not loan.in_story:
                    self._live(loan, day, payments)
            if whole:
                self._pay_in_full(day, payments)
        self._bounce(number, day, payments)
        self._agree(number, payments)
        if number == _STRANGER_DAY:
            payments.add("D999999", 12_345)
        form: Form = "csv_gb18030" if number == _CHINESE_DAY else "csv"
        files = [
            self._overdue_file(number, day),
            FeedFile("repayments", payments.rows, payments.sum_fen, form),
        ]
        if whole:
            files.append(self._loans_file(day))
        if number == 0:
            files.append(FeedFile("contacts", list(self._contacts()), None))
        return files

    def _live(self, loan: Loan, day: date, payments: _Payments) -> None:
        yesterday = day - timedelta(days=1)
        if loan.oldest_due is None:
            if yesterday.day == loan.due_day and loan.disbursed_on < yesterday:
                if self.random.random() < 0.12:
                    loan.oldest_due = yesterday
                else:
                    self._pay(loan, loan.instalment_fen, payments)
            return
        overdue = loan.days_past_due(day)
        chance = next(chance for low, chance in _CHANCE_TO_PAY if overdue >= low)
        luck = self.random.random()
        if luck < chance:
            due_fen = sum(loan.arrears(day))
            loan.oldest_due = None
            self._pay(loan, due_fen, payments)
        elif luck < chance * 1.5 and overdue > 31:  # one instalment of several
            self._pay(loan, loan.instalment_fen, payments)
            loan.oldest_due = next_month(loan.oldest_due)

    def _pay(self, loan: Loan, amount_fen: int, payments: _Payments) -> str:
        loan.outstanding_fen = max(loan.outstanding_fen - amount_fen, 100)
        return payments.add(loan.loan_id, amount_fen)

    def _pay_in_full(self, day: date, payments: _Payments) -> None:
        """Two loans in arrears are paid off: one stays on the books with nothing outstanding, one leaves."""
        late = [loan for loan in self.loans if loan.oldest_due and loan.on_the_books and not loan.in_story]
        for loan, stays in zip(self.random.sample(late, min(2, len(late))), (True, False), strict=False):
            payments.add(loan.loan_id, loan.outstanding_fen + sum(loan.arrears(day)[1:]))
            loan.outstanding_fen, loan.oldest_due = 0, None
            loan.in_story, loan.on_the_books = True, stays

    def _bounce(self, number: int, day: date, payments: _Payments) -> None:
        """A loan pays what is due and leaves the snapshot; three days later the payment is reversed."""
        if number == _PAYMENT_DAY:
            loan = next((x for x in self.loans if x.oldest_due and not x.in_story and x.on_the_books), None)
            if loan is not None and loan.oldest_due is not None:
                amount_fen = sum(loan.arrears(day))
                self.bounced = loan, loan.oldest_due, payments.add(loan.loan_id, amount_fen), amount_fen
                loan.oldest_due, loan.in_story = None, True
        elif number == _BOUNCE_DAY and self.bounced is not None:
            loan, due, payment_id, amount_fen = self.bounced
            payments.add(loan.loan_id, amount_fen, reverses=payment_id)
            loan.oldest_due = due

    def _agree(self, number: int, payments: _Payments) -> None:
        """The agreed sum comes in; once the case is settled the bank waives the rest, and the loan is gone."""
        first, second, _ = self.acts
        loan = next(loan for loan in self.loans if loan.loan_id == AGREED_LOAN)
        if number == first + 1:
            self._pay(loan, AGREED_FEN, payments)
        elif number == second + 1:
            loan.outstanding_fen, loan.oldest_due, loan.on_the_books = 0, None, False

    def _overdue_file(self, number: int, day: date) -> FeedFile:
        rows = []
        sum_fen = 0
        for loan in self.loans:
            if loan.oldest_due is None:
                continue
            amounts = loan.arrears(day)
            sum_fen += sum(amounts)
            texts = [yuan_text(fen) for fen in (*amounts, loan.outstanding_fen)]
            rows.append([loan.loan_id, loan.oldest_due.isoformat(), *texts])
        if number == _FUTURE_DUE_DAY and rows:
            rows[len(rows) // 2][1] = (day + timedelta(days=20)).isoformat()
        if number == _NEGATIVE_DAY and rows:
            row = rows[len(rows) // 3]
            sum_fen -= 2 * round(float(row[4]) * 100)
            row[4] = "-" + row[4]
        return FeedFile("overdue", rows, sum_fen, _overdue_form(number))

    def _loans_file(self, day: date) -> FeedFile:
        booked = [loan for loan in self.loans if loan.on_the_books]
        rows = [self._loan_row(loan, day) for loan in booked]
        return FeedFile("loans", rows, sum(loan.outstanding_fen for loan in booked))

    def _loan_row(self, loan: Loan, day: date) -> list[str]:
        overdue = loan.days_past_due(day)
        npl_since = loan.oldest_due + timedelta(days=91) if loan.oldest_due and overdue > 90 else None
        bands = (
            (361, "loss"),
            (271, "doubtful"),
            (91, "substandard"),
            (8, "special_mention"),
            (0, "normal"),
        )
        identity = Random(f"{self.names[loan.borrower_id]} {loan.borrower_id}")  # noqa: S311 - a story
        return [
            loan.loan_id,
            loan.borrower_id,
            self.names[loan.borrower_id],
            people.id_number(identity),
            loan.product,
            loan.channel,
            loan.owner,
            loan.team,
            loan.region,
            loan.disbursed_on.isoformat(),
            "true" if loan.self_payment else "false",
            yuan_text(loan.principal_fen),
            yuan_text(loan.outstanding_fen),
            next(name for low, name in bands if overdue >= low),
            npl_since.isoformat() if npl_since else "",
        ]

    def _contacts(self) -> Iterator[list[str]]:
        random = self.random
        form = ("application_form", "contract")
        for borrower_id, name in self.names.items():
            phone, address = people.phone(random), people.address(random)
            yield [borrower_id, name, "debtor", "self", phone, "home", address, *form]
            if random.random() < 0.4:
                yield [
                    borrower_id,
                    name,
                    "debtor",
                    "self",
                    people.phone(random),
                    "work",
                    people.address(random),
                    *form,
                ]
            for role, relation, chance in (
                ("contact", "friend", 0.8),
                ("contact", "parent", 0.5),
                ("guarantor", "sibling", 0.15),
                ("co_borrower", "spouse", 0.1),
            ):
                if random.random() < chance:
                    basis = "consent" if role == "contact" else "contract"
                    yield [
                        borrower_id,
                        people.name(random),
                        role,
                        relation,
                        people.phone(random),
                        "",
                        "",
                        form[0],
                        basis,
                    ]


def acts_of(days: int) -> tuple[int, int, int]:
    """After which of so many feeds the story goes on: what it does is seen in the feeds that follow."""
    return days * 2 // 5, days * 2 // 3, days - 1


def generate(
    folder: Path, *, seed: int, loans: int = 2_000, days: int = 30, first_day: date = date(2024, 6, 1)
) -> list[Path]:
    """Write the feeds of `days` days from `first_day`, a folder named by each day; give them in order.

    The same arguments give the same bytes.
    """
    random = Random(f"branch {seed}")  # noqa: S311 - a story, not a secret
    names = {f"B{number:06d}": people.name(random) for number in range(1, max(loans * 93 // 100, 1) + 1)}
    branch = _Branch(
        random, first_day, [new_loan(random, n, len(names), first_day) for n in range(1, loans + 1)], names,
        acts_of(days - 1),
    )  # fmt: skip
    agreed = branch.loans[0]
    agreed.in_story, agreed.oldest_due = True, (first_day - timedelta(days=_AGREED_DPD)).replace(day=agreed.due_day)
    agreed.disbursed_on = min(agreed.disbursed_on, agreed.oldest_due - timedelta(days=90))
    agreed.outstanding_fen = max(agreed.outstanding_fen, 3 * AGREED_FEN)
    late = next((loan for loan in reversed(branch.loans) if loan.oldest_due), None)
    if late is not None:  # where the files disagree: nothing outstanding, yet in arrears
        late.outstanding_fen, late.in_story = 0, True
    return [
        write_folder(
            folder / (first_day + timedelta(days=number)).isoformat(),
            first_day + timedelta(days=number),
            files,
        )
        for number in range(days)
        for files in (branch.day(number),)
    ]


def generate_large(
    folder: Path, *, loans: int = 100_000, overdue: int = 100_000, as_of: date = date(2024, 6, 1)
) -> Path:
    """Write one folder with `loans` on the books, the first `overdue` of them in arrears, for measuring.

    For a day up to ten days later it gives the same arrears in the same bands: an unchanged snapshot.
    """
    anchor = date(2024, 6, 1)
    loan_rows = []
    overdue_rows = []
    loans_fen = overdue_fen = 0
    for number in range(1, loans + 1):
        outstanding_fen = 1_000_000 + number * 7_919 % 20_000_000
        loans_fen += outstanding_fen
        team, region = people.TEAMS[number % 4]
        who = f"D{number:06d}", f"B{number:06d}", f"客户{number}", "", "consumer", f"C{number % 9 + 1:02d}"
        where = f"S{number % people.REPS + 1:03d}", team, region
        outstanding = yuan_text(outstanding_fen)
        loan_rows.append([*who, *where, "2023-05-04", "false", yuan_text(outstanding_fen * 2), outstanding, "", ""])
        if number <= overdue:
            due = anchor - timedelta(days=1 + number % 19 + number % 7 * 30)
            principal, interest = 100_000 + number % 900_000, 2_000 + number % 9_000
            overdue_fen += principal + interest + 500
            amounts = yuan_text(principal), yuan_text(interest), "5.00", outstanding
            overdue_rows.append([who[0], due.isoformat(), *amounts])
    files = [FeedFile("loans", loan_rows, loans_fen), FeedFile("overdue", overdue_rows, overdue_fen)]
    return write_folder(folder, as_of, files)


def _overdue_form(number: int) -> Form:
    if number in _GZIP_DAYS:
        return "csv_gz"
    return {_BOM_DAY: "csv_bom", _CHINESE_DAY: "csv_gb18030", _XLSX_DAY: "xlsx"}.get(number, "csv")  # type: ignore[return-value]  # the values are literals
