"""Two institutions that number customers and payments alike: at every door each has its own people and payments."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.customer import Customer, stream_of
from casework.errors import CallerError
from casework.evidence.dossier.opened import check_and_record
from casework.evidence.mining.chosen import MiningWanted
from casework.evidence.mining.export import export
from casework.evidence.searching import streams_of
from casework.evidence.verifying import verify
from casework.intake.feed.borrowers import Search, borrower_page, find
from casework.intake.feed.customers import of_customer
from casework.intake.feed.tables import (
    borrowers,
    contacts,
    feed_runs,
    loans,
    repayments,
    set_aside,
)
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Note
from casework.log.tables import (
    entries,
    erasures,
    opening_keys,
    openings,
)
from casework.oversight.privacy.erase import (
    Erasure,
    ErasureRefused,
    erase,
    look_through,
)
from casework.oversight.privacy.holding import hold, release
from casework.oversight.privacy.showing import holding_of
from casework.people.staff.actor import Actor, system
from casework.people.staff.permissions import EVERYTHING
from casework.storage.database import open_engine, reading, writing
from casework.work.cases.answer_mac import answer_mac
from casework.work.cases.filter import BusinessDates
from casework.work.cases.queries import find_case
from casework.work.cases.tables import cases, idempotency
from tests.feed.bank import DAY, Bank, Cells, arrears, contact, loan, paid
from tests.feed.conftest import bank
from tests.feed.shell import casework
from tests.log.built_log import guards_down
from tests.on_books import named

ONE, OTHER = "wuhan", "yichang"
BOTH = (ONE, OTHER)
B1 = {institution: Customer(institution, "B1") for institution in BOTH}
NAMES = {ONE: "测甲一", OTHER: "测乙一"}
ID_NUMBERS = {ONE: "999999199001010001", OTHER: "888888198002020001"}
RISK = Actor("R9", "staff", "cli", frozenset({"basic_risk_manager"}))
REP = Actor("S1", "staff", "api", frozenset({"business_rep"}))
PEOPLE = range(1, 11)
SHARED_PHONE = "13900000001"


@dataclass
class Two:
    """Both institutions' banks over one branch; loans are A1… and Z1…, borrowers B1…, payments P1…."""

    banks: Mapping[str, Bank]
    sent: date = DAY

    @property
    def bank(self) -> Bank:
        return self.banks[ONE]

    def loan_id(self, institution: str, number: int = 1) -> str:
        return f"{'A' if institution == ONE else 'Z'}{number}"

    def send(self, *institutions: str, without: tuple[int, ...] = (), **more: Sequence[Cells]) -> None:
        """The next day's feed, of both or those named, each with a payment P1; `without`: loans paid in full."""
        self.sent += timedelta(days=1)
        for institution in institutions or BOTH:
            own = [self.loan_id(institution, number) for number in PEOPLE]
            people = [
                loan(number, loan_id=own[number - 1], borrower_name=f"{NAMES[institution][:2]}{number}",
                     id_number=f"{ID_NUMBERS[institution][:-1]}{number}")
                for number in PEOPLE
            ]  # fmt: skip
            people[0]["borrower_name"] = NAMES[institution]
            given: dict[str, Any] = {
                "loans": people,
                "contacts": [contact(number, phone=SHARED_PHONE) for number in PEOPLE],
                "repayments": [self.paid(institution, "P1", "50.00" if institution == ONE else "70.00")],
            }
            for number in without:
                people[number - 1]["outstanding_principal"] = "0.00"
            rows = [arrears(n, on=self.sent, loan_id=own[n - 1]) for n in PEOPLE if n not in without]
            self.banks[institution].send(self.sent, rows, **(given | more))

    def paid(self, institution: str, payment_id: str, amount: str, reverses: str = "") -> Cells:
        """A payment to the first loan of an institution, always of the same day."""
        return {**paid(payment_id, 1, DAY, amount, reverses), "loan_id": self.loan_id(institution)}

    def read(self, statement: Any) -> list[Any]:
        with reading(self.bank.started.engine) as conn:
            return list(conn.execute(statement))

    def in_one(self, work: Callable[[Any], Any]) -> Any:
        with writing(self.bank.started.engine) as conn:
            return work(conn)

    def erase(self, institution: str) -> Erasure | ErasureRefused:
        """B1 of an institution, with the rows set aside found before as the shell does it."""
        branch = self.bank.started.branch
        with reading(self.bank.started.engine, snapshot=True) as conn:
            aside = look_through(conn, branch, B1[institution], now())
        told: Erasure | ErasureRefused = self.in_one(
            lambda conn: erase(
                conn, branch, B1[institution], basis="ordered", actor=system("cli"), aside=aside,
                clock=lambda: now() + timedelta(days=6 * 366),
            )
        )  # fmt: skip
        return told

    def shell(self, *words: str) -> Any:
        said = casework(self.bank.started.settings, *words, "--json")
        assert said.code == 0, said.err
        return json.loads(said.out)


@pytest.fixture
def two(bank: Bank) -> Two:
    for who in (RISK, REP):
        bank.staff(who.id, *who.posts)
    made = Two({name: Bank(bank.started, bank.folder / name, institution=name) for name in BOTH})
    bank.know(*BOTH)
    made.send()
    return made


def of_one(two: Two, institution: str) -> dict[str, list[Any]]:
    """Everything that is held of an institution's customers, to the byte."""
    vault, name = two.bank.started.branch.vault, B1[institution].institution
    own = [f"case:{row.id}" for row in two.read(sa.select(cases.c.id).where(cases.c.institution == name))]
    keys = [stream_of(vault, Customer(name, f"B{number}")) for number in PEOPLE]
    runs = sa.select(feed_runs.c.id).where(feed_runs.c.institution == name)
    tables: dict[str, Any] = {
        **{table.name: sa.select(table).where(table.c.institution == name)
           for table in (borrowers, contacts, loans, repayments, erasures)},
        "keys": sa.select(opening_keys).where(opening_keys.c.subject.in_(keys)),
        "openings": sa.select(openings).where(openings.c.stream.in_(own)),
        "set_aside": sa.select(set_aside).where(set_aside.c.run_id.in_(runs)),
        "entries": sa.select(entries.c.leaf_hash).where(entries.c.stream.in_(own + keys)),
        "answers": sa.select(idempotency).where(idempotency.c.key == name),
    }  # fmt: skip
    return {table: sorted(two.read(statement), key=repr) for table, statement in tables.items()}


# ── doors that show: what each institution's B1 is at it ────────────────────────────────────────────────────────────


def imported(two: Two, institution: str) -> Any:
    (row,) = two.read(sa.select(borrowers).where(of_customer(borrowers, B1[institution])))
    return named(two.bank.started.branch.vault, row)


def payments(two: Two, institution: str) -> Any:
    return [tuple(row) for row in two.read(
        sa.select(repayments.c.payment_id, repayments.c.loan_id, repayments.c.amount_fen)
        .where(repayments.c.institution == institution)
    )]  # fmt: skip


def ways(two: Two, institution: str) -> Any:
    found = two.read(sa.select(contacts.c.borrower_id).where(contacts.c.institution == institution))
    return sorted(row.borrower_id for row in found)


def page(two: Two, institution: str) -> Any:
    branch = two.bank.started.branch
    with reading(two.bank.started.engine) as conn:
        shown = borrower_page(
            conn, branch, BusinessDates(conn, branch), B1[institution], actor=RISK, within=EVERYTHING
        )  # fmt: skip
    assert (shown.institution, len(shown.contacts)) == (institution, 1)
    return shown.id_number, [one.loan_id for one in shown.loans], [one.loan_id for one in shown.cases]


def revealed(two: Two, institution: str) -> Any:
    shown = two.shell("borrower", "reveal", "B1", "--institution", institution, "--field", "name", "--field",
                      "phone", "--purpose", "complaint")  # fmt: skip
    at = entries.c.stream == f"borrower:{institution}~B1"
    assert [row.event for row in two.read(sa.select(entries.c.event).where(at))] == ["personal.revealed"]
    return shown["institution"], shown["name"], [one["phone"] for one in shown["contacts"]]


def found_by(search: Search) -> Callable[[Two, str], Any]:
    def door(two: Two, institution: str) -> Any:
        branch = two.bank.started.branch
        with reading(two.bank.started.engine) as conn:
            shown = find(conn, branch, search, actor=RISK, within=EVERYTHING)
        return [
            (one.borrower_id, [case.loan_id for case in one.cases])
            for one in shown.items
            if one.institution == institution and one.borrower_id == "B1"
        ]

    return door


def listed(two: Two, institution: str) -> Any:
    found = two.shell("case", "list", "--borrower", "B1", "--institution", institution)
    return [(line["institution"], line["loan_id"]) for line in found["items"]]


def as_of(two: Two, institution: str) -> Any:
    case_id = str(two.bank.case(two.loan_id(institution)).id)
    then = two.shell("case", "as-of", case_id, "--at", now().isoformat())
    return then["institution"], then["borrower_id"], then["loan_id"]


def streams(two: Two, institution: str) -> Any:
    revealed(two, institution)
    with reading(two.bank.started.engine) as conn:
        return streams_of(conn, two.bank.started.branch, f"borrower:{institution}~B1")


def mined(two: Two, institution: str) -> Any:
    file = two.bank.folder / f"{institution}.json"
    branch = two.bank.started.branch
    export(two.bank.started.engine, branch, system("cli"), "ocel-json", file, MiningWanted(), cover="none")
    case = f"case:{two.bank.case(two.loan_id(institution)).id}"
    (own,) = [one for one in json.loads(file.read_bytes())["objects"] if one["id"] == case]
    return [link["objectId"] for link in own["relationships"] if link["qualifier"] == "borrower"]


def dossier(two: Two, institution: str) -> Any:
    """Whose stream says that texts of the case were taken out in clear."""
    branch = two.bank.started.branch
    with writing(two.bank.started.engine) as conn:
        case = find_case(conn, int(two.bank.case(two.loan_id(institution)).id))
        check_and_record(conn, branch, system("cli"), case, ["note"], "judicial")
    told = sa.select(entries.c.stream).where(entries.c.event == "personal.revealed").order_by(entries.c.id.desc())
    return two.read(told)[0].stream


def held(two: Two, institution: str) -> Any:
    shown = two.shell("privacy", "show", "B1", "--institution", institution)
    return shown["institution"], shown["cases"], shown["held"]["contacts"], shown["held"]["borrower_fields"]


DOORS: Mapping[str, tuple[Callable[[Two, str], Any], Callable[[Two, str], Any]]] = {
    "import": (imported, lambda _, its: (NAMES[its], ID_NUMBERS[its])),
    "contacts": (ways, lambda *_: sorted(f"B{number}" for number in PEOPLE)),
    "repayment": (
        payments, lambda two, its: [("P1", two.loan_id(its), 5_000 if its == ONE else 7_000)],
    ),
    "page": (
        page, lambda two, its: (f"{ID_NUMBERS[its][:4]}**********0001", [two.loan_id(its)], [two.loan_id(its)]),
    ),
    "reveal": (revealed, lambda _, its: (its, NAMES[its], [SHARED_PHONE])),
    "search by name": (
        lambda two, its: found_by(Search(name=NAMES[its]))(two, its), lambda two, its: [("B1", [two.loan_id(its)])],
    ),
    "search by a phone of both": (
        found_by(Search(phone=SHARED_PHONE)), lambda two, its: [("B1", [two.loan_id(its)])],
    ),
    "list": (listed, lambda two, its: [(its, two.loan_id(its))]),
    "as-of": (as_of, lambda two, its: (its, "B1", two.loan_id(its))),
    "audit": (
        streams, lambda two, its: (f"borrower:{its}~B1", f"case:{two.bank.case(two.loan_id(its)).id}"),
    ),
    "mining": (mined, lambda _, its: [f"borrower:{its}~B1"]),
    "dossier": (dossier, lambda _, its: f"borrower:{its}~B1"),
    "privacy": (held, lambda _, its: (its, 1, 1, 2)),
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_at_every_door_a_number_that_both_have_is_each_ones_own(two: Two, door: str) -> None:
    shown, expected = DOORS[door]
    assert {its: shown(two, its) for its in BOTH} == {its: expected(two, its) for its in BOTH}


@pytest.mark.parametrize(
    "words",
    [
        ("privacy", "show", "B1"),
        ("privacy", "hold", "B1", "--reason", "complaint"),
        ("privacy", "release", "B1"),
        ("privacy", "erase", "B1", "--basis", "unlawful", "--yes"),
        ("borrower", "reveal", "B1", "--field", "name", "--purpose", "complaint"),
        ("audit", "search", "--subject", "borrower:B1"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_number_that_both_have_needs_its_institution_and_nothing_happens_without(
    two: Two, words: tuple[str, ...]
) -> None:
    before = two.bank.dump()
    said = casework(two.bank.started.settings, *words)
    assert (said.code, said.err.partition(":")[0]) == (1, "institution_needed")
    assert ONE in said.err
    assert OTHER in said.err
    assert two.bank.dump() == before


def test_a_number_that_one_has_needs_no_institution_and_another_has_no_such_customer(two: Two) -> None:
    more = [*PEOPLE, 11]
    two.send(ONE, loans=[loan(n, loan_id=two.loan_id(ONE, n)) for n in more],
             contacts=[contact(n) for n in more])  # fmt: skip
    words = ("privacy", "show", "B11")
    assert two.shell(*words)["institution"] == ONE
    assert two.shell(*words, "--institution", ONE)["institution"] == ONE
    said = casework(two.bank.started.settings, *words, "--institution", OTHER)
    assert (said.code, said.err.partition(":")[0]) == (1, "unknown_borrower")


# ── doors that change ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_feed_of_one_changes_nothing_of_the_other(two: Two) -> None:
    before = of_one(two, OTHER)
    two.send(ONE)
    assert of_one(two, OTHER) == before
    two.bank.assert_sound()


def test_a_reversal_undoes_a_payment_of_its_own_institution_only(two: Two) -> None:
    two.send(ONE, repayments=[two.paid(ONE, "P2", "20.00")])
    two.send(OTHER, repayments=[two.paid(OTHER, "R1", "20.00", reverses="P2")])
    assert [row.code for row in two.read(sa.select(set_aside.c.code))] == ["unknown_payment"]
    two.send(ONE, repayments=[two.paid(ONE, "R1", "20.00", reverses="P2")])
    assert len(two.read(sa.select(set_aside.c.code))) == 1
    undoing = sa.select(repayments.c.institution, repayments.c.reverses).where(repayments.c.reverses.is_not(None))
    assert [tuple(row) for row in two.read(undoing)] == [(ONE, "P2")]


def test_a_loan_number_stays_unique_over_all_institutions(two: Two) -> None:
    before = of_one(two, ONE)
    with pytest.raises(CallerError) as refused:
        two.send(OTHER, loans=[loan(1, loan_id=two.loan_id(ONE))])
    assert refused.value.code == "loan_elsewhere"
    assert of_one(two, ONE) == before


def remember(two: Two) -> None:
    """Of each B1: a note, a row set aside, an answer that speaks of them; and their case is over."""
    branch = two.bank.started.branch
    for institution in BOTH:
        case_id = int(two.bank.case(two.loan_id(institution)).id)
        note = Note(actor=REP, id=case_id, text=f"客户{NAMES[institution]}来电")
        answer = msgspec.json.encode({"borrower_id": "B1", "institution": institution})
        parts = ("S1", institution, b"h", 200, answer, now())
        row = (*parts, answer_mac(branch.mac_key, *parts))
        with writing(two.bank.started.engine) as conn:
            (done,) = advance(conn, [note], branch)
            assert isinstance(done, Done), done
            conn.execute(idempotency.insert().values(row))
    unusable = [contact(1, role="nobody"), *(contact(2, phone=f"139{number:08}") for number in range(200))]
    two.send(without=(1,), contacts=unusable)


@pytest.mark.parametrize("institution", BOTH)
def test_an_erasure_reaches_nothing_of_the_customer_with_the_same_number(two: Two, institution: str) -> None:
    remember(two)
    other = next(one for one in BOTH if one != institution)
    before = of_one(two, other)
    assert {table for table, kept in before.items() if not kept} == {"erasures"}
    told = two.erase(institution)
    assert isinstance(told, Erasure)
    gone = {name: told.gone.counts[name] for name in ("keys", "openings", "borrower_fields", "set_aside", "answers")}
    assert gone == {"keys": 1, "openings": 1, "borrower_fields": 2, "set_aside": 1, "answers": 1}
    assert of_one(two, other) == before
    two.bank.assert_sound()
    two.send(without=(1,))  # what was erased stays out of the next feed; the other's comes in
    assert held(two, institution)[2:] == (0, 0)
    assert held(two, other)[2:] == (1, 2)
    two.bank.assert_sound()


def test_a_hold_keeps_the_data_of_its_own_customer_only(two: Two) -> None:
    remember(two)
    branch = two.bank.started.branch
    two.in_one(lambda conn: hold(conn, branch, B1[ONE], reason="complaint", actor=RISK))
    refused = two.erase(ONE)
    assert isinstance(refused, ErasureRefused)
    assert [reason.code for reason in refused.reasons] == ["hold"]
    with pytest.raises(CallerError) as none:
        two.in_one(lambda conn: release(conn, branch, B1[OTHER], actor=RISK))
    assert none.value.code == "no_hold"
    assert isinstance(two.erase(OTHER), Erasure)
    with reading(two.bank.started.engine) as conn:
        assert holding_of(conn, branch, B1[ONE], now()).holds == ["complaint"]


def test_an_erased_customer_with_a_new_case_is_taken_in_again_and_the_other_stays_erased(two: Two) -> None:
    remember(two)
    for institution in BOTH:
        assert isinstance(two.erase(institution), Erasure)
    two.send(ONE)
    assert imported(two, ONE) == (NAMES[ONE], ID_NUMBERS[ONE])
    two.send(OTHER, without=(1,))
    assert held(two, OTHER)[2:] == (0, 0)
    two.bank.assert_sound()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda conn: conn.execute(erasures.update().values(institution=OTHER)), "erasure_unlisted"),
        (lambda conn: conn.execute(erasures.update().values(institution="no code")), "erasure_unlisted"),
        (
            lambda conn: conn.execute(cases.update().where(cases.c.loan_id == "A1").values(institution=OTHER)),
            "erasure_of_others",
        ),
    ],
    ids=["the list names the other", "the list names nobody", "the case is the other's"],
)
def test_verification_tells_customers_of_the_same_number_apart(
    two: Two, change: Callable[[Any], Any], code: str
) -> None:
    remember(two)
    assert isinstance(two.erase(ONE), Erasure)
    started = two.bank.started
    owner = open_engine(started.settings.database_owner_url or started.settings.database_url)
    with owner.connect() as conn, conn.begin() as transaction:
        with guards_down(conn):
            change(conn)
        report = verify(conn, started.branch.mac_key, started.branch.vault)
        transaction.rollback()
    owner.dispose()
    assert code in {finding.code for finding in report.findings}


__all__ = ["bank"]
