"""From what the feed says happened to what is asked of the door: cases opened, measured anew, settled, re-opened."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import chain, islice
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import CallerError, TryAgain
from casework.intake.feed import agreements
from casework.intake.feed.booked import Booked
from casework.intake.feed.books import Reversed
from casework.intake.feed.corrections import SettledThen
from casework.intake.feed.reconcile import Reconciliation
from casework.intake.feed.recoveries import Undoing, commands_of
from casework.intake.feed.row import OverdueRow, RepaymentRow
from casework.intake.feed.settling import NotOverdue, Word
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Outcome, Record, Refused
from casework.people.staff.actor import Actor
from casework.rules.statechart.policy import Policy
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.case import Facts
from casework.work.cases.commands import Command, Measure, OpenCase
from casework.work.cases.tables import cases

AT_ONCE = 10_000  # commands to the door in one call: bounds its memory, and lets progress move
_CASES = sa.select(cases.c.loan_id, cases.c.id, cases.c.live, cases.c.state, cases.c.state_since)
_FACTS = sa.select(cases.c.id, cases.c.facts)
Progress = Callable[[int, int], None]
_COUNTS = (
    "cases_opened", "cases_reopened", "cases_overdue_again", "cases_settled", "cases_not_settled",
    "cases_cancelled", "settlements_corrected", "recoveries", "recoveries_reversed", "without_case",
)  # fmt: skip
_COUNTED_AS = {
    "recover": "recoveries", "recovery_reversed": "recoveries_reversed", "paid_in_full": "cases_settled",
    "reverse_payment": "cases_reopened",
}  # fmt: skip


@dataclass(slots=True)
class KnownCases:
    """A loan's live case, if any, and its latest settled one."""

    live: int | None = None
    settled: int | None = None
    settled_on: date | None = None


@dataclass(slots=True)
class Changes:
    """One feed's changes on their way to the door."""

    conn: Connection
    branch: Branch
    actor: Actor
    run_id: int
    as_of: date
    policy: Policy
    progress: Progress
    clock: Clock = now
    ahead: bool = False  # a second process may decide
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    retaken: set[str] = field(default_factory=set)  # loans whose case a correction brought back
    unpaid: list[int] = field(default_factory=list)  # cases whose loan left the books unpaid

    def known(self, loan_ids: Iterable[str]) -> dict[str, KnownCases]:
        """The cases of these loans."""
        found: dict[str, KnownCases] = {}
        held = rows.select_by_keys(self.conn, _CASES, "loan_id", list(loan_ids))
        for loan_id, case_id, live, state, since in held:
            known = found.setdefault(loan_id, KnownCases())
            if live:
                known.live = case_id
            elif state == "settled" and case_id > (known.settled or 0):
                known.settled, known.settled_on = case_id, since
        return found

    def send(self, commands: list[Command]) -> list[Outcome]:
        """Through the door, a few thousand at a time."""
        return [*chain.from_iterable(self._sent(commands, len(commands)))]

    def _send_all(self, commands: Iterable[Command], at_most: int) -> None:
        """Those that must be done, made when their turn comes: only what is not done is kept until the end.

        Making them asks the database nothing: it may be at work on those before.
        """
        self._all_done([one for sent in self._sent(commands, at_most) for one in sent if not isinstance(one, Done)])

    def _sent(self, commands: Iterable[Command], at_most: int) -> Iterator[list[Outcome]]:
        left, done = iter(commands), 0
        following = list[Command]()  # made while those before are written
        while at_once := following or [*islice(left, AT_ONCE)]:
            following = []
            make = partial(_put_in, following, left)
            yield advance(self.conn, at_once, self.branch, clock=self.clock, ahead=self.ahead, meanwhile=make)
            done += len(at_once)
            self.progress(done, max(done, at_most))

    def measure(self, row: OverdueRow, loan: Booked | None) -> dict[str, Any]:
        """The figures of a loan in arrears, as the door takes them."""
        bucket = self.policy.bucket((self.as_of - row.oldest_due_date).days)
        return {
            "oldest_due_date": row.oldest_due_date.isoformat(), "bucket": bucket, **_class_of(loan),
            "overdue_principal_fen": row.overdue_principal_fen, "overdue_interest_fen": row.overdue_interest_fen,
            "overdue_penalty_fen": row.overdue_penalty_fen, "outstanding_principal_fen": row.outstanding_principal_fen,
        }  # fmt: skip

    def cleared(self, loan: Booked | None, outstanding_fen: int) -> dict[str, Any]:
        """The figures of a loan that is not in arrears."""
        return {
            "oldest_due_date": None, "bucket": self.policy.bucket(0), **_class_of(loan), "overdue_principal_fen": 0,
            "overdue_interest_fen": 0, "overdue_penalty_fen": 0, "outstanding_principal_fen": outstanding_fen,
        }  # fmt: skip

    # ── loans in arrears ────────────────────────────────────────────────────────────────────────────────────────────

    def arrived(
        self, found: Reconciliation, loans: Mapping[str, Booked], known: Mapping[str, KnownCases],
        reversals: Mapping[str, list[Reversed]],
    ) -> None:  # fmt: skip
        """Loans that are new in the snapshot: re-open, measure a case that is live already, or open one."""
        reopened = self._reopen(found, known, reversals)
        old_until = date.fromisoformat(self.policy.figure("assessment.cut_off_on"))

        def told() -> Iterator[Command]:
            for row in found.opened:
                loan_id, loan = row.loan_id, loans[row.loan_id]
                live = reopened.get(loan_id) or (known[loan_id].live if loan_id in known else None)
                measure = self.measure(row, loan)
                if live is not None:
                    yield Measure(actor=self.actor, id=live, measure=measure, run=self.run_id)
                    back = loan_id in reopened or loan_id in self.retaken
                    self.counts["cases_reopened" if back else "cases_overdue_again"] += 1
                else:
                    yield self._open(loan, measure, old_until)
                    self.counts["cases_opened"] += 1

        self._send_all(told(), len(found.opened))

    def _open(self, loan: Booked, measure: dict[str, Any], old_until: date) -> OpenCase:
        ground = "old_npl" if loan.npl_since and loan.npl_since <= old_until else "arrears"
        named = {
            "loan_id": loan.loan_id, "institution": loan.institution, "borrower_id": loan.borrower_id,
            "product": loan.product, "channel_code": loan.channel_code, "team": loan.team, "region": loan.region,
            "owner": loan.owner_staff_no,
        }  # fmt: skip
        return OpenCase(actor=self.actor, ground=ground, loan=named, measure=measure)

    def _reopen(
        self, found: Reconciliation, known: Mapping[str, KnownCases], reversals: Mapping[str, list[Reversed]]
    ) -> dict[str, int]:
        """Settled cases of loans that are back because a payment was undone; the door decides whether they re-open.

        Only a reversal that came after the settlement counts: one that came before it did not undo what settled.
        """
        commands: list[Command] = []
        loans: list[str] = []
        for row in found.opened:
            case = known.get(row.loan_id)
            if case is None or case.live is not None or case.settled is None:
                continue
            settled_on = case.settled_on or self.as_of
            since = [
                undone for undone in reversals.get(row.loan_id, [])
                if undone.run_id == self.run_id or undone.received_on > settled_on
            ]  # fmt: skip
            if since:
                commands += self._undoing().of(case.settled, max(since, key=lambda undone: undone.paid_on))
                loans.append(row.loan_id)
        outcomes = self.send(commands)
        return {
            loan_id: outcome.id
            for loan_id, outcome in zip(loans, outcomes[1::2], strict=True)
            if isinstance(outcome, Done)
        }

    def changed(
        self, measured: Sequence[OverdueRow], loans: Mapping[str, Booked], known: Mapping[str, KnownCases]
    ) -> None:
        """Loans whose figures differ from what was last reported."""

        def told() -> Iterator[Command]:
            for row in measured:
                live = known[row.loan_id].live if row.loan_id in known else None
                # Settled or closed by hand while the loan stays in arrears: one that falls overdue *again* opens.
                if live is not None:
                    measure = self.measure(row, loans.get(row.loan_id))
                    yield Measure(actor=self.actor, id=live, measure=measure, run=self.run_id)

        self._send_all(told(), len(measured))

    def count_without_case(self, in_arrears: Mapping[str, OverdueRow], live: Iterable[str]) -> None:
        """Every loan of the snapshot that is not among `live`: nobody works on it, counted each day until one acts."""
        self.counts["without_case"] = len(in_arrears) - sum(map(in_arrears.__contains__, live))

    # ── loans no longer in arrears ──────────────────────────────────────────────────────────────────────────────────

    def taken_back(
        self, settled: Sequence[SettledThen], owed: Mapping[str, OverdueRow], loans: Mapping[str, Booked]
    ) -> None:
        """Settlements of this very day that the correction denies: the cases are again as they were.

        `owed`: what is owed on loans of which no file of today says it.
        """
        data = {"as_of": self.as_of.isoformat()}
        commands: list[Command] = []
        for one in settled:
            commands.append(Fire(actor=self.actor, id=one.case_id, event="settlement_corrected", data=data))
            if one.loan_id in owed:
                measure = self.measure(owed[one.loan_id], loans.get(one.loan_id))
                commands.append(Measure(actor=self.actor, id=one.case_id, measure=measure, run=self.run_id))
        self._all_done(self.send(commands))
        self.retaken |= {one.loan_id for one in settled}
        self.counts["settlements_corrected"] += len(settled)

    def left(
        self, cases_left: Iterable[NotOverdue], gone: Mapping[str, OverdueRow], loans: Mapping[str, Booked],
        word_on: Callable[[str], Word], *, reclassified: Collection[str], opened_in_error: Collection[str],
        since: tuple[date, date],
    ) -> None:  # fmt: skip
        """Live cases of loans not in the snapshot: settled if books and chart allow it, else measured.

        `gone`: the rows of loans that have just left the snapshot. `opened_in_error`: in arrears by the word of the run
        that this one corrects alone; a case that it opened is taken back (decision 0004). `since`: the days of the
        snapshot and of the loans file before.
        """
        commands: list[Command] = []
        unpaid: list[tuple[int, str]] = []
        waiting: list[int] = []
        for case in cases_left:
            word, row = word_on(case.loan_id), gone.get(case.loan_id)
            if case.state == "written_off":  # off the books: what they show is no word on the claim (MOF2017.90)
                continue
            in_error = case.loan_id in opened_in_error and case.opened_by_feed_on == self.as_of
            if word.taken_off is not None and not in_error:
                unpaid.append((case.case_id, word.taken_off))
                continue
            if (
                word.paid and not word.closed and case.write_off_asked and not in_error
            ):  # nobody can tell it from a write-off booked early
                waiting.append(case.case_id)
                continue
            outstanding = word.outstanding_fen
            if outstanding is None and row is not None:
                outstanding = row.outstanding_principal_fen
            if outstanding is None:
                continue
            left_now = row is not None or case.oldest_due_date is not None or case.loan_id in self.retaken
            if left_now or outstanding != case.outstanding_fen or case.loan_id in reclassified:
                measure = self.cleared(loans.get(case.loan_id), outstanding)
                commands.append(Measure(actor=self.actor, id=case.case_id, measure=measure, run=self.run_id))
            if in_error:
                by = {"run": f"run:{self.run_id}"}
                commands.append(Fire(actor=self.actor, id=case.case_id, event="opening_corrected", data=by))
            elif word.paid or left_now:
                event = "paid_in_full" if word.paid else "arrears_cleared"
                data = {"previous_as_of": (since[0] if left_now else min(since)).isoformat()}
                commands.append(Fire(actor=self.actor, id=case.case_id, event=event, data=data))
        for command, outcome in zip(commands, self.send(commands), strict=True):
            if isinstance(command, Fire):
                happened = "cases_cancelled" if command.event == "opening_corrected" else "cases_settled"
                self.counts[happened if isinstance(outcome, Done) else "cases_not_settled"] += 1
        self._left_unpaid(unpaid)
        self.unpaid = sorted([*self.unpaid, *waiting])

    def _left_unpaid(self, unpaid: Iterable[tuple[int, str]]) -> None:
        """Cases whose loan the bank took off its books unpaid: said once in the case, and listed by every feed."""
        status_of = dict(unpaid)
        said = {
            row[0]: msgspec.json.decode(bytes(row[1]), type=Facts).left_books
            for row in rows.select_by_keys(self.conn, _FACTS, "id", sorted(status_of))
        }
        self.unpaid = sorted(status_of)
        news = [(case_id, status) for case_id, status in status_of.items() if said[case_id] != status]
        by, run = self.actor, f"run:{self.run_id}"
        self._all_done(
            self.send(
                [
                    Record(actor=by, id=one, kind="left_books", on=self.as_of, evidence=run, data={"status": status})
                    for one, status in news
                ]
            )
        )

    def _undoing(self) -> Undoing:
        return Undoing(self.actor, self.as_of, self.run_id)

    def received(self, payments: Sequence[RepaymentRow], previous_as_of: date) -> None:
        """Money received on claims written off, and money of settled cases that was taken back."""
        commands = commands_of(self.conn, payments, self._undoing(), previous_as_of)
        outcomes = self.send(commands)
        for command, outcome in zip(commands, outcomes, strict=True):
            counted = _COUNTED_AS.get(command.event) if isinstance(command, Fire) else None
            if counted is not None and isinstance(outcome, Done):
                self.counts[counted] += 1
        # Whether an undone payment re-opens a settled case is for the chart to say; a refusal is on record.
        told = zip(commands, outcomes, strict=True)
        self._all_done([o for c, o in told if not (isinstance(c, Fire) and c.event == "reverse_payment")])

    def on_agreements(self, institution: str) -> set[str]:
        """Count what came on compromise agreements, take back what was undone; loans whose settled case is open again.

        Before `known` is asked: a case that opens again is live from here on.
        """
        states = {*self.branch.rulebook.chart.groups["live"], "settled"}
        found = agreements.agreed_cases(self.conn, institution, states)
        taken_back = self.send(agreements.undone(found, self.actor, self.as_of, self.run_id))
        self._all_done(self.send(agreements.received(found, self.actor, self.run_id)))
        reopened = {one.id for one in taken_back if isinstance(one, Done) and one.from_state != one.state}
        self.counts["cases_reopened"] += len(reopened)
        return {one.loan_id for one in found if one.case_id in reopened}

    def _all_done(self, outcomes: list[Outcome]) -> None:
        if any(isinstance(outcome, Refused) and outcome.reasons[0].code == "case_open_already" for outcome in outcomes):
            # Somebody opened a case of the loan by hand since this import looked; the next look sees it.
            raise TryAgain("database_busy", "a case of one of these loans was opened meanwhile; import the feed again")
        nobody = sum(isinstance(one, Refused) and one.reasons[0].code == "no_owner" for one in outcomes)
        if nobody:
            raise CallerError("no_owner", cases=nobody)
        others = {type(outcome).__name__ for outcome in outcomes if not isinstance(outcome, Done)}
        if others:
            raise RuntimeError(f"the door did not take what the feed reported: {', '.join(sorted(others))}")


def _put_in(following: list[Command], left: Iterator[Command]) -> None:
    following.extend(islice(left, AT_ONCE))


def _class_of(loan: Booked | None) -> dict[str, Any]:
    since = loan.npl_since.isoformat() if loan and loan.npl_since else None
    disbursed = loan.disbursed_on.isoformat() if loan and loan.disbursed_on else None
    return {"risk_class": loan.risk_class if loan else None, "npl_since": since, "disbursed_on": disbursed}
