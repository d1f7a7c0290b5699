"""One row of a feed file, from text to types. Pure. A row that cannot be read says which cell and why.

An empty cell means unknown (`None`), never zero. Amounts are decimal yuan in the files and integer fen here.
The parsers are built once per file and called once per row: dates are looked up, amounts take a short path,
and only a row that fails it is read again cell by cell to name the fault.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar

from casework import ids
from casework.intake.feed.cell import (
    KIN,
    LOAN_STATUSES,
    PRODUCTS,
    RISK_CLASSES,
    ROLES,
    BadCell,
    CellNote,
    CellTexts,
    Codes,
    DatesUntil,
    KnownDates,
    amount_cell,
    fen,
    flag_cell,
    id_number_cell,
    key_cell,
    or_unknown,
    owner_fault,
    phone_cells,
    text_cell,
)
from casework.intake.feed.headers import COLUMNS
from casework.people.staff.person import LONGEST_CODE


class LoanRow(NamedTuple):
    """A loan on the books."""

    loan_id: str
    borrower_id: str
    borrower_name: str | None
    id_number: str | None
    product: str | None
    channel_code: str | None
    owner_staff_no: str | None
    team: str | None
    region: str | None
    disbursed_on: date | None
    self_payment: bool | None
    principal_fen: int | None
    outstanding_principal_fen: int | None
    risk_class: str | None  # normal, special_mention, substandard, doubtful, loss
    npl_since: date | None
    status: str | None = None  # on_book, written_off, transferred, closed


class OverdueRow(NamedTuple):
    """A loan in arrears at the close of the feed's day; every value is known, or the row is set aside."""

    loan_id: str
    oldest_due_date: date
    overdue_principal_fen: int
    overdue_interest_fen: int
    overdue_penalty_fen: int
    outstanding_principal_fen: int

    @property
    def overdue_fen(self) -> int:
        """Principal, interest and penalty together."""
        return self[2] + self[3] + self[4]


class ContactRow(NamedTuple):
    """A way to reach a borrower or a person around them."""

    borrower_id: str
    person_name: str | None
    role: str  # debtor, co_borrower, guarantor, contact
    relation: str | None
    phone: str | None
    address_kind: str | None
    address: str | None
    source: str | None
    legal_basis: str | None


class RepaymentRow(NamedTuple):
    """Money received, or with `reverses` a payment undone; the amount is never negative."""

    payment_id: str
    loan_id: str
    paid_on: date
    amount_fen: int
    reverses: str | None


LONGEST_NAME: Final = 128
LOAN_ID: Final = itemgetter(0)
"""Of a row of loans or of arrears."""
Row = TypeVar("Row", bound=tuple[Any, ...])
Parser = Callable[[list[str]], Row]
Notes = list[CellNote]


def _picker(positions: Mapping[str, int], columns: Sequence[str], width: int) -> Callable[[list[str]], Any]:
    """The cells of `columns` in that order; a column that the file lacks gives an empty cell."""
    pick = itemgetter(*(positions.get(column, width) for column in columns))
    if all(column in positions for column in columns):
        return pick
    return lambda cells: pick([*cells, ""])


def rows_of(row: type[Row], columns: Sequence[Sequence[Any]]) -> list[Row]:
    """Rows of columns that are as long as each other: `_make` would count the values of each row again."""
    return [*map(partial(tuple.__new__, row), zip(*columns, strict=True))]


_OVERDUE_COLUMNS: Final = tuple(column.name for column in COLUMNS["overdue"] if column.compulsory)


def due_judge(as_of: date) -> Callable[[date], str | None]:
    """What is wrong with an oldest due date on the feed's day; none if a loan can be in arrears since."""

    def judge(due: date) -> str | None:
        if due >= as_of:
            return "due_after_as_of" if due > as_of else "not_past_due"
        return None

    return judge


def overdue_parser(positions: Mapping[str, int], width: int, as_of: date, notes: Notes) -> Parser[OverdueRow]:
    """Build the parser of `overdue` rows of one file; a parsed row's warnings are appended to `notes`."""
    pick = _picker(positions, _OVERDUE_COLUMNS, width)
    reported = positions.get("days_past_due")
    dates, is_plain = DatesUntil("oldest_due_date", due_judge(as_of)), ids.is_plain

    def amount(cell: str, column: str) -> int:
        amount_fen = amount_cell(cell, column)
        if amount_fen is None:
            raise BadCell(column, "missing_value")
        return amount_fen

    def parse(cells: list[str]) -> OverdueRow:
        loan_id, due, principal, interest, penalty, outstanding = pick(cells)
        try:
            due_on = dates[due]
            p, i, y, o = fen(principal), fen(interest), fen(penalty), fen(outstanding)
            # An id or an amount out of the common run is looked at cell by cell, below.
            if p | i | y | o < 0 or not is_plain(loan_id):
                raise ValueError("read it cell by cell")
            row = OverdueRow(loan_id, due_on, p, i, y, o)
        except ValueError:
            values = (principal, interest, penalty, outstanding)
            amounts = (amount(c, name) for c, name in zip(values, _OVERDUE_COLUMNS[2:], strict=True))
            row = OverdueRow(key_cell(loan_id, "loan_id"), dates[due], *amounts)
        if reported is not None and cells[reported].strip() not in ("", str((as_of - row[1]).days)):
            notes.append(CellNote("days_past_due", "days_past_due_differs"))
        return row

    return parse


def class_fault(text: str) -> str | None:
    """Why a text names no risk class; none if it does."""
    return None if text.lower() in RISK_CLASSES else "unknown_risk_class"


def status_fault(text: str) -> str | None:
    """Why a text names no status of a loan; none if it does."""
    return None if text.lower() in LOAN_STATUSES else "unknown_loan_status"


_CODES: Final = ("product", "channel_code", "owner_staff_no", "team", "region", "risk_class", "status")


def loan_parser(positions: Mapping[str, int], width: int, as_of: date, notes: Notes) -> Parser[LoanRow]:
    """Build the parser of `loans` rows of one file; a parsed row's warnings are appended to `notes`."""
    pick = _picker(positions, [column.name for column in COLUMNS["loans"]], width)
    disbursed, npl = KnownDates("disbursed_on", as_of, notes), KnownDates("npl_since", as_of, notes)
    odd: dict[tuple[str, str], str] = {}
    product_of, channel_of = Codes("product", 32, odd), Codes("channel_code", 32, odd)
    owner_of = Codes("owner_staff_no", 32, odd, owner_fault, "owner_unreadable")
    team_of, region_of = Codes("team", LONGEST_CODE, odd), Codes("region", LONGEST_CODE, odd)
    class_of = Codes("risk_class", 32, odd, class_fault, "unknown_risk_class")
    status_of = Codes("status", 32, odd, status_fault, "unknown_loan_status")

    def parse(cells: list[str]) -> LoanRow:
        loan_id, borrower, name, id_number, product, channel, owner, team, region, *rest = pick(cells)
        disbursed_on, self_payment, principal, outstanding, risk_class, npl_since, status = rest
        product_name, class_name, status_name = product_of[product], class_of[risk_class], status_of[status]
        loan = LoanRow(
            key_cell(loan_id, "loan_id"),
            key_cell(borrower, "borrower_id"),
            or_unknown(notes, text_cell, name, "borrower_name", LONGEST_NAME),
            or_unknown(notes, id_number_cell, id_number),
            PRODUCTS.get(product_name, product_name) if product_name else None,
            channel_of[channel],
            owner_of[owner],
            team_of[team],
            region_of[region],
            disbursed(disbursed_on),
            or_unknown(notes, flag_cell, self_payment),
            or_unknown(notes, amount_cell, principal, "principal"),
            amount_cell(outstanding, "outstanding_principal"),
            RISK_CLASSES[class_name.lower()] if class_name else None,
            npl(npl_since),
            LOAN_STATUSES[status_name.lower()] if status_name else None,
        )
        if loan.npl_since is not None and loan.disbursed_on is not None and loan.npl_since < loan.disbursed_on:
            notes.append(CellNote("npl_since", "npl_before_disbursement"))
            loan = loan._replace(npl_since=None)
        if odd:
            cells_read = zip(_CODES, (product, channel, owner, team, region, risk_class, status), strict=True)
            notes.extend(CellNote(of[0], odd[of]) for of in cells_read if of in odd)
        return loan

    return parse


def contact_parser(
    positions: Mapping[str, int], width: int, notes: Notes, more: list[ContactRow] | None = None
) -> Parser[ContactRow]:
    """Build the parser of `contacts` rows of one file. A contact needs a phone or an address to be one.

    Several numbers in a cell are several contacts: those behind the first are appended to `more`, without the address.
    """
    pick = _picker(positions, [column.name for column in COLUMNS["contacts"]], width)
    relation_of, kind_of = CellTexts("relation", 32), CellTexts("address_kind", 16)
    source_of, basis_of = CellTexts("source", 64), CellTexts("legal_basis", 64)

    def parse(cells: list[str]) -> ContactRow:
        borrower, name, role, relation, phone, address_kind, address, source, basis = pick(cells)
        known_role = ROLES.get(role.strip().lower())
        if known_role is None:
            raise BadCell("role", "unknown_role" if role.strip() else "missing_value")
        phones = or_unknown(notes, phone_cells, phone) or []
        row = ContactRow(
            key_cell(borrower, "borrower_id"),
            or_unknown(notes, text_cell, name, "person_name", 128),
            known_role,
            or_unknown(notes, relation_of.__getitem__, relation) or (role.strip() if role.strip() in KIN else None),
            phones[0] if phones else None,
            or_unknown(notes, kind_of.__getitem__, address_kind),
            or_unknown(notes, text_cell, address, "address", 256),
            or_unknown(notes, source_of.__getitem__, source),
            or_unknown(notes, basis_of.__getitem__, basis),
        )
        if row.phone is None and row.address is None:
            odd = next((one for one in notes if one.column in ("phone", "address")), None)
            raise BadCell(*(odd or CellNote("phone", "missing_value")))
        if more is not None:
            more.extend(row._replace(phone=one, address_kind=None, address=None) for one in phones[1:])
        return row

    return parse


def repayment_parser(positions: Mapping[str, int], width: int, as_of: date) -> Parser[RepaymentRow]:
    """Build the parser of `repayments` rows of one file.

    The amount of a reversal may be written negative (as many ledgers do); any other negative amount is a
    fault.
    """
    pick = _picker(positions, [column.name for column in COLUMNS["repayments"]], width)
    dates = DatesUntil("paid_on", lambda paid_on: "paid_after_as_of" if paid_on > as_of else None)

    def parse(cells: list[str]) -> RepaymentRow:
        payment_id, loan_id, paid_on, amount, reverses = pick(cells)
        undone = key_cell(reverses, "reverses") if reverses and not reverses.isspace() else None
        amount_fen = amount_cell(amount, "amount", signed=undone is not None)
        if amount_fen is None:
            raise BadCell("amount", "missing_value")
        keys = key_cell(payment_id, "payment_id"), key_cell(loan_id, "loan_id")
        return RepaymentRow(*keys, dates[paid_on], abs(amount_fen), undone)

    return parse
