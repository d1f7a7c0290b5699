"""A case in memory: the fold of its audit stream. Pure.

The row in `cases` is this struct column by column; `facts` is one JSON value. The door and the replay build it
with the same `apply` (casework.work.cases.fold), so a row that differs from its entries was changed by other hands.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

import msgspec

from casework.customer import Customer
from casework.lifecycle.subject import Root, Rows
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.fields import DataFault
from casework.rules.statechart.policy import Policy
from casework.work.cases.days import day_faults

LOOKED_BACK: Final = timedelta(days=40)
"""More than any rule looks back at single days: what is older stays in the log alone."""


class AgencyFile(msgspec.Struct, forbid_unknown_fields=True):
    """What is on file of the agency that is to receive the case (3.1, X10, X12)."""

    agency: str
    active: bool
    inspected_on: date
    evaluated_on: date


class Placement(msgspec.Struct, forbid_unknown_fields=True):
    """The running placement with an agency; at most one (X11)."""

    agency: str
    placed_on: date
    term_until: date
    ended: bool = False


class AttemptDay(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The contact attempts of one calendar day: how many, and whether the debtor in person was connected.

    `answered`: who else answered, of `ANSWERED_BY`.
    """

    on: date
    attempts: int
    connected: bool
    answered: list[str] = []


ANSWERED_BY: Final = ("co_borrower", "guarantor", "contact")
"""Whose answers a case learns of beside the debtor's; the policy says whether they break a run of silent days."""
PROMISE: Final = "promise:"
"""Before the number of a promise among what spoils days."""


class Spoilt(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Days on which a hold (by its ground) or a promise (by its number) was in force; no last day: it still is.

    `number`: of the hold; 0 where nobody said it.
    """

    by: str
    first: date
    last: date | None = None
    number: int = 0


class DueBefore(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The oldest due date that a case had until a snapshot changed it, that day not included."""

    until: date
    oldest_due_date: date


class FailedVisit(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """One visit that did not find the debtor: the day, and the hash of the photo that proves it."""

    on: date
    photo: str


class Stood(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """How a case stood in the state that it was settled from: since when, and what had happened there."""

    state: str
    since: date
    fresh: list[str]


class Facts(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """Everything recorded of a case that guards read, as far as they still need it.

    `fresh` holds what has happened since the case came into its present state; it is emptied when the state changes.
    `material_version` rises with every change that an approver would want to look at again.
    """

    attempt_days: list[AttemptDay] = []
    connected_on: date | None = None
    connected_before: date | None = None  # the last day before that one, for when a correction takes it back
    spoilt: list[Spoilt] = []  # days that prove no silence, whatever was dialled
    due_before: list[DueBefore] = []
    desk_state: str | None = None  # of the chart's group `desk`: where it is or last was, and since when
    desk_since: date | None = None  # none of both: where it was opened
    fresh: list[str] = []
    promises: dict[str, date] = {}  # those that are open, by their number: until when it was promised
    promise_pay_by: date | None = None  # the latest of them
    promises_made: int = 0
    broken_in_a_row: int = 0
    remittances: dict[str, date] = {}  # those that are awaited, by their number: from when nobody demands payment
    holds: list[str] = []
    at_risk: str | None = None  # the ground of the customer's flag, while it is in force
    repaired_on: date | None = None
    repair_good_until: date | None = None  # the last day, of a repair that found nothing
    found_on: date | None = None  # the last of the days on which a visit found somebody
    found_by: dict[str, date] = {}  # those days, by the photo of each visit; one without, by its number, or its day
    visit_on: date | None = None  # the day for which a visit was ordered last
    failed_visits: list[FailedVisit] = []
    last_failed_visit: FailedVisit | None = None  # not counted yet
    visit_photos: list[str] = []
    photos_disproved: list[str] = []  # they prove no visit, neither theirs nor another
    # Of which no photo could be taken, by the visit's number; 0: recorded by hand. Duties done, proof of nothing.
    visits_stated: list[int] = []
    visit_stated: bool = False  # whether there is one
    agency_file: AgencyFile | None = None
    placement: Placement | None = None
    placements: int = 0
    recalled_on: date | None = None
    destruction_due_on: date | None = None
    exception_until: date | None = None
    exception_on: date | None = None  # when it was granted
    disposal_form_on: date | None = None
    disposal_form: str | None = None  # how it stands: filed, returned, accepted; none: recorded by hand, accepted
    limitation_ends_on: date | None = None
    accelerated_on: date | None = None
    matter_open: bool = False
    matter_ended_on: date | None = None
    sued_on: date | None = None
    rulings: list[str] = []  # outcomes since the suit; a new suit begins anew
    agreed_fen: int | None = None
    agreed_on: date | None = None
    received_fen: dict[str, int] = {}  # what the feed brought since the agreement, by payment
    written_off_on: date | None = None
    written_off_fen: int = 0  # principal, interest and penalty of the write-off
    recoveries: list[str] = []  # payments received after it, and their sum
    recovered_fen: int = 0
    left_books: str | None = None  # off the bank's books without having been paid: written_off, transferred
    transfer_contract_on: date | None = None
    debtor_notified_on: date | None = None
    opening_error_on: date | None = None
    finding_cleared_on: date | None = None
    risk_class: str | None = None
    npl_since: date | None = None
    disbursed_on: date | None = None
    # The day after the oldest due date that the case first had: a part payment moves that date, not this one (1.4.1).
    first_overdue_on: date | None = None
    named: str | None = None  # to whom the customer belongs: the rep of the loan, or who was given the case in house
    named_on: date | None = None  # when they were given it; none: at opening
    last_in_house: str | None = None  # who had the case before it left the house, or went to whoever visits
    settled_from: str | None = None
    settled_on: date | None = None
    settled_as: str | None = None
    settlement_since: date | None = None
    settled_out_of: Stood | None = None
    reversed_paid_on: date | None = None
    material_version: int = 1


class Case(Root):
    """One overdue loan as a case. Amounts in fen, dates are business dates. Field order is column order."""

    institution: str
    loan_id: str
    borrower_id: str
    product: str | None
    channel_code: str | None
    team: str | None
    region: str | None
    owner: str
    handler: str
    closed_as: str | None
    ended_as: str | None  # how it was closed, or settled: a code with words in the chart
    principal_at_opening_fen: int
    oldest_due_date: date | None
    bucket: str
    overdue_principal_fen: int
    overdue_interest_fen: int
    overdue_penalty_fen: int
    overdue_fen: int
    outstanding_principal_fen: int
    visit_due_on: date | None  # by when it is to be visited, as the policy of its last entry has it; none: not owed
    facts: Facts

    @property
    def stream(self) -> str:
        """The audit stream of this case."""
        return f"case:{self.id}"

    @property
    def material(self) -> int:
        """`material_version` of its facts."""
        return self.facts.material_version

    @property
    def customer(self) -> Customer:
        """Whose loan it is about."""
        return Customer(self.institution, self.borrower_id)

    def days_past_due(self, business_date: date) -> int:
        """Days from the oldest unpaid due date to `business_date`, never negative; 0 if not in arrears."""
        return max((business_date - self.oldest_due_date).days, 0) if self.oldest_due_date else 0

    def days_past_due_on(self, day: date) -> int:
        """The same of a day not long ago, by the due date that the case had on that day."""
        due = next((one.oldest_due_date for one in self.facts.due_before if day < one.until), self.oldest_due_date)
        return max((day - due).days, 0) if due else 0

    def day_faults(self, on: date, latest: date, policy: Policy) -> list[DataFault]:
        """As `casework.work.cases.days` says."""
        return day_faults(self, on, latest, policy)

    def stepped(self, now: Any, chart: Chart, *, moved: bool) -> None:
        """After an event: what it remembers of where it was."""
        if moved:
            back = now.resumed if now.resumed is not None and now.resumed.state == self.state else None
            if back:
                self.state_since = back.since
            self.facts.fresh = back.fresh if back else []
            if self.state in chart.groups["desk"] and back is None:
                self.facts.desk_state, self.facts.desk_since = self.state, now.today
            self.facts.material_version += 1
        self.ended_as = self.closed_as or self.facts.settled_as

    def reckon(self, chart: Chart, policy: Policy) -> None:
        """After every entry: by when it is to be visited (1.3.2a), while it is in house, large and not visited."""
        facts, due = self.facts, self.oldest_due_date
        self.visit_due_on = None
        if (
            due is None or self.state not in chart.groups["in_house"] or facts.visit_photos or facts.visit_stated
            or self.principal_at_opening_fen < policy.figure("visit.duty_from_fen")
        ):  # fmt: skip
            return
        self.visit_due_on = due + timedelta(policy.figure("duty.visit_by_dpd"))
        if self.state in chart.groups["desk"] and self.state != chart.initial:  # lost: the desk where none begins
            within = timedelta(policy.figure("lost_contact.act_within_days"))
            self.visit_due_on = min(self.visit_due_on, self.state_since + within)

    @property
    def remembered(self) -> list[str]:
        """Where it worked at a desk, and what it was settled out of."""
        facts = self.facts
        stood = facts.settled_out_of.state if facts.settled_out_of is not None else None
        return [state for state in (facts.desk_state, facts.settled_from, stood) if state is not None]

    def renamed(self, moves: Mapping[str, str]) -> None:
        """Another version of the chart: what it remembers of where it was, in the states of this one.

        What was asked for under the version before is asked for anew: who approves looks at what is in force.
        """
        facts = self.facts
        facts.desk_state = _now(facts.desk_state, moves)
        facts.settled_from = _now(facts.settled_from, moves)
        if facts.settled_out_of is not None:
            facts.settled_out_of.state = moves.get(facts.settled_out_of.state, facts.settled_out_of.state)
        facts.material_version += 1


def _now(state: str | None, moves: Mapping[str, str]) -> str | None:
    return None if state is None else moves.get(state, state)


# What an entry can change; the rest of a row is as the opening said.
CHANGING = (
    "chart", "state", "state_since", "live", "version", "owner", "handler", "closed_as", "ended_as",
    "oldest_due_date", "bucket",
    "overdue_principal_fen", "overdue_interest_fen", "overdue_penalty_fen", "overdue_fen", "outstanding_principal_fen",
    "visit_due_on", "facts", "last_entry_at", "audit_seq", "audit_head",
)  # fmt: skip
ROWS = Rows(Case, CHANGING)
COLUMNS, from_row, to_row, to_change = ROWS.columns, ROWS.read, ROWS.row, ROWS.change
