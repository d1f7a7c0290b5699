"""One line of the ledger as values and codes, as it is handed in and kept: no name in it. Pure."""

from datetime import date, datetime

import msgspec

from casework.customer import Customer


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One case on one day; amounts in fen. What is of contacts is of all the debtor's, whoever made them.

    `due`, `dialled`, `connected`: calls that were owed and not exempt, made to anybody, answered by somebody.
    `debtor_connected`: how often the debtor in person was spoken to, by any channel. `visits`: to the debtor since the
    case was opened, the last of them with its result. `disposal`: how its form stands
    (none: on paper, accepted), since `disposal_on`; `in_papers`: it stands here for that form, whatever else was owed.
    `wish`: for an arrangement; `agreed_fen`: what was agreed.
    """

    case_id: int
    institution: str
    borrower_id: str
    loan_id: str
    owner: str
    handler: str
    collector: str
    dpd: int
    bucket: str
    overdue_fen: int
    outstanding_fen: int
    product: str | None = None
    channel: str | None = None
    due: int = 0
    dialled: int = 0
    connected: int = 0
    debtor_connected: int = 0
    result: str | None = None
    pay_by: date | None = None
    promised_fen: int | None = None
    lost_on: date | None = None
    repaired_on: date | None = None
    repair: str | None = None
    visits: int = 0
    visit: str | None = None
    photos: int = 0
    paid_fen: int | None = None
    holds: tuple[str, ...] = ()
    review_by: date | None = None
    unrecorded: int = 0
    breaches: int = 0
    disposal_on: date | None = None
    disposal: str | None = None
    in_papers: bool = False
    wish: str | None = None
    agreed_fen: int | None = None
    agreed_on: date | None = None
    exempt: tuple[str, ...] = ()
    follow_up: datetime | None = None
    next_action: str | None = None
    strategy: str | None = None
    repair_over: bool = False

    @property
    def customer(self) -> Customer:
        """Whose loan it is."""
        return Customer(self.institution, self.borrower_id)

    @property
    def is_unrepaired(self) -> bool:
        """Lost still, though information was repaired since: nobody was found by it, and that holds good still."""
        if self.lost_on is None or self.repaired_on is None or self.repair_over:
            return False
        return self.repaired_on >= self.lost_on


class DutyLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was owed to a case, and what became of it."""

    case_id: int
    institution: str
    borrower_id: str
    loan_id: str
    duty: str
    status: str
    due_on: date
    owed_by: str
    exempt_by: str | None = None


class ContactLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One contact. `entered_late`: it happened before the hour of handing in and was entered after it."""

    source: str
    contact_ref: str
    institution: str
    borrower_id: str
    loan_id: str
    at: datetime
    party: str
    channel: str
    result: str
    staff_no: str | None = None
    agency: str | None = None
    is_recorded: bool = False
    next_action: str | None = None
    rules: tuple[str, ...] = ()
    entered_late: bool = False
