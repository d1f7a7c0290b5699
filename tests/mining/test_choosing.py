"""Filters, pseudonyms, hostile texts, bounded memory, and the command with its file and its entry."""

import hashlib
import itertools
import json
import re
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from casework.cli import main
from casework.errors import CallerError
from casework.evidence.mining import ocel_json, ocel_sqlite, xes
from casework.evidence.mining.chosen import Chosen, MiningWanted
from casework.evidence.mining.names import Names, visible
from casework.evidence.mining.ocel_sqlite import tables_of
from casework.evidence.mining.spool import EventSpool
from casework.evidence.mining.told import STREAMS, EventPart
from casework.log.format.chain import leaf_hash
from casework.log.format.entry import Entry, SignedActor
from casework.log.tables import entries
from casework.log.write.trail import Draft
from casework.personal import Vault
from casework.storage.database import reading
from casework.work.cases.filter import BusinessDates, CaseFilter
from casework.work.cases.tables import cases
from tests.log.built_log import CASES, BuiltLog, change_entry, clock, guards_down
from tests.mining.made import DAY, from_json, from_sqlite, made, traces
from tests.mining.xes_structure import faults

VAULT = Vault(bytes(32), bytes(31) + b"\x01")


def events_of(log: BuiltLog, wanted: MiningWanted) -> set[str]:
    """The entry ids in an OCEL file."""
    return set(from_json(made(log, "ocel-json", wanted)[0]).events)


def expected(log: BuiltLog, *conditions: sa.ColumnElement[bool], prefixes: tuple[str, ...] = STREAMS) -> set[str]:
    """The entry ids that SQL finds."""
    streams = sa.or_(*(entries.c.stream.startswith(f"{one}:") for one in prefixes))
    with reading(log.engine) as conn:
        found = conn.execute(sa.select(entries.c.stream, entries.c.stream_seq).where(streams, *conditions))
        return {f"{stream}:{seq}" for stream, seq in found}


# --- filters


def test_refusals_are_left_out_on_demand(log: BuiltLog) -> None:
    kept = events_of(log, MiningWanted(refusals=False))
    assert kept == expected(log, ~entries.c.event.like("case.refused%"))
    assert kept < expected(log)


@pytest.mark.parametrize("pattern", [("case.step.*",), ("case.opened", "request.*"), ("nothing.*",)])
def test_events_are_chosen_by_name_and_by_beginning(log: BuiltLog, pattern: tuple[str, ...]) -> None:
    conditions = [entries.c.event.like(one.replace("*", "%")) for one in pattern]
    assert events_of(log, MiningWanted(events=pattern)) == expected(log, sa.or_(*conditions))


def test_cases_bring_the_requests_about_them(log: BuiltLog) -> None:
    chosen = events_of(log, MiningWanted(case_ids=(1, 2)))
    assert {place.rpartition(":")[0] for place in chosen} == {"case:1", "case:2", "request:1"}
    (trace,) = traces(made(log, "xes", MiningWanted(case_ids=(2,)))[0])
    assert trace == "2"


def test_cases_are_chosen_by_state_product_and_institution(log: BuiltLog) -> None:
    wanted = CaseFilter(state=("written_off",), product="consumer", institution="wuhan")
    with reading(log.engine) as conn:
        ids = set(conn.execute(sa.select(cases.c.id).where(cases.c.state == "written_off")).scalars())
    found = traces(made(log, "xes", MiningWanted(cases=wanted))[0])
    assert set(map(int, found)) == ids
    assert ids
    assert traces(made(log, "xes", MiningWanted(cases=CaseFilter(product="other")))[0]) == {}
    with pytest.raises(CallerError, match="state"):
        made(log, "xes", MiningWanted(cases=CaseFilter(state=("nowhere",))))


def test_days_are_the_branchs_and_both_ends_count(log: BuiltLog) -> None:
    everything = expected(log)
    assert events_of(log, MiningWanted(from_on=DAY, to_on=DAY)) == everything
    day = timedelta(days=1)
    assert events_of(log, MiningWanted(from_on=DAY + day)) == set()
    assert events_of(log, MiningWanted(to_on=DAY - day)) == set()
    with pytest.raises(CallerError) as refused:
        made(log, "xes", MiningWanted(from_on=DAY, to_on=DAY - day))
    assert refused.value.code == "period_malformed"


def test_a_file_without_events_is_still_a_file(log: BuiltLog) -> None:
    nothing = MiningWanted(events=("no.such",))
    content, mined = made(log, "xes", nothing)
    assert (faults(ET.fromstring(content)), mined.events, mined.traces) == ([], 0, 0)
    for kind, read in (("ocel-json", from_json), ("ocel-sqlite", from_sqlite)):
        content, mined = made(log, kind, nothing)  # type: ignore[arg-type]  # a table's text
        assert (mined.events, mined.objects) == (0, 0)
        assert read(content) == ({}, {}, set(), set())


def entry(stream: str, seq: int, event: str, at: str, *, to: str | None = None, **data: Any) -> Entry:
    """An entry as nobody checked it: the writers get what the log's reader gave out."""
    return Entry(
        actor=SignedActor("S1", "staff", "api"),
        chart=None, data=data, entry_id=f"{stream}:{seq}", event=event, from_=None,
        occurred_at=at, personal={}, policy=None, prev=None, reason_code=None, recorded_at=at, rules=(),
        stream=stream, stream_seq=seq, to=to,
    )  # fmt: skip


def test_a_period_begins_with_how_things_stood(tmp_path: Path) -> None:
    """What happened before is no event, but says the initial values; what is not wanted has happened all the same."""
    times = [f"2026-01-0{n}T00:00:00.000000Z" for n in range(1, 6)]
    read = [
        (
            entry("case:7", 1, "case.opened", times[0], to="a", loan_id="L1", borrower_id="B1", owner="S1"),
            EventPart.BEFORE,
        ),
        (entry("case:7", 2, "case.assigned", times[1], to="a", owner="S2", handler="S2"), EventPart.BEFORE),
        (entry("case:7", 3, "case.step.go", times[2], to="b"), EventPart.BESIDE),
        (entry("case:7", 4, "case.noted", times[3], to="b"), EventPart.IN),
        (
            entry("case:8", 1, "case.opened", times[4], to="a", loan_id="L2", borrower_id="B2", owner="S1"),
            EventPart.BEFORE,
        ),
    ]
    spool = EventSpool(tmp_path / "spool")
    spool.fill(read, Names(VAULT, "none"))
    model = from_json("".join(ocel_json.lines(spool)).encode())
    spool.close()
    assert set(model.events) == {"case:7:4"}
    assert set(model.objects) == {"case:7", "staff:S1"}
    values = model.objects["case:7"][1]
    assert values["owner"] == [("", "S2")]
    assert values["state"] == [("", "a"), (times[2], "b")]
    (trace,) = ET.fromstring("".join(xes.lines(read, Names(VAULT, "none")))).iter("{http://www.xes-standard.org/}trace")
    assert [one.get("value") for one in trace if one.get("key") == "casework:loan"] == ["L1"]


# --- pseudonyms


def test_pseudonyms_hide_customers_and_on_demand_staff_in_every_format(log: BuiltLog) -> None:
    with reading(log.engine) as conn:
        rows = conn.execute(sa.select(cases.c.loan_id, cases.c.borrower_id, cases.c.owner)).all()
    customers = {name for row in rows for name in row[:2]}
    staff = {"T1", "S1", "R1", "A1", "P1", "P2", "P3"} | {row.owner for row in rows}
    for kind, shown in (
        ("xes", lambda content: {value for trace in ET.fromstring(content).iter() for value in trace.attrib.values()}),
        ("ocel-json", lambda content: _texts(json.loads(content))),
        ("ocel-sqlite", lambda content: _texts(from_sqlite(content))),
    ):  # fmt: skip
        for cover, hidden, there in (
            ("none", set(), customers | {"S1"}), ("customers", customers, {"S1"}), ("all", customers | staff, set()),
        ):  # fmt: skip
            texts = shown(made(log, kind, cover=cover)[0])  # type: ignore[no-untyped-call, arg-type]  # a table's
            words = texts | {part for text in texts for part in re.split("[:~]", text)} - {"R1", "T1"}
            hidden_words = {name for name in hidden if name not in ("R1", "T1")}  # regions and teams are called so too
            assert words & hidden_words == set(), (kind, cover)
            assert there <= words


def test_the_model_is_the_same_under_pseudonyms(log: BuiltLog) -> None:
    clear, covered = (from_json(made(log, "ocel-json", cover=cover)[0]) for cover in ("none", "all"))
    assert [len(part) for part in clear] == [len(part) for part in covered]
    names = Names(log.branch.vault, "all")
    assert {names.of("loan", place[5:]) for place in clear.objects if place.startswith("loan:")} == {
        place[5:] for place in covered.objects if place.startswith("loan:")
    }


def test_a_pseudonym_needs_the_key_and_tells_kinds_apart() -> None:
    names, others = Names(VAULT, "all"), Names(Vault(bytes(32), b"\x02" * 32), "all")
    assert names.of("loan", "X1") == Names(VAULT, "customers").of("loan", "X1") != others.of("loan", "X1")
    assert len({names.of(kind, "X1") for kind in ("loan", "borrower", "staff")}) == 3
    assert Names(VAULT, "customers").of("staff", "X1") == "X1"


def _texts(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict):
        return set().union(*map(_texts, value), *map(_texts, value.values()))
    return set().union(*map(_texts, value)) if isinstance(value, (list, tuple, set)) else set()


# --- hostile texts

HOSTILE = [
    '"/><event><string key="concept:name" value="forged"/></event>', "]]>&amp;&#x0;<!--", "a\x00b\x01c\x1f\x7f",
    "'; DROP TABLE event; --", '","relationships":[', "\\u0000", "back\\slash", "tab\tnew\nline\r", "\ufffe\uffff",
    "\u2028\u202e右", "𝔘𝔫𝔦", "../../etc", " =HYPERLINK(1)",
]  # fmt: skip


def test_hostile_ids_stay_values_in_every_format(log: BuiltLog, tmp_path: Path) -> None:
    """Written by the service itself, into streams of cases: nothing in them becomes markup, SQL or another value."""
    with log.attacked() as conn:
        trail = log.branch.trail(clock())
        for number, text in enumerate(HOSTILE):
            data = {"loan_id": text, "borrower_id": text, "owner": text, "product": text, "measure": {"bucket": text},
                    "given": {"agency": text}, "business_date": text}  # fmt: skip
            draft = Draft("case.opened", SignedActor("S1", "staff", "api"), data, to="a")
            trail.append(conn, f"case:{900_001 + number}", draft)
        trail.write(conn)
        wanted, names = MiningWanted(events=("case.opened",)), Names(log.branch.vault, "none")

        def read(prefixes: tuple[str, ...]) -> Iterator[Any]:
            return Chosen(conn, wanted, prefixes, BusinessDates(conn, log.branch), log.branch.time_zone).read()

        document = ET.fromstring("".join(xes.lines(read(xes.PREFIXES), names)).encode())
        spool = EventSpool(tmp_path / "spool")
        spool.fill(read(STREAMS), names)
        in_json = from_json("".join(ocel_json.lines(spool)).encode())
        ocel_sqlite.write(spool, tmp_path / "out")
        spool.close()
    assert faults(document) == []
    said = [one.attrib["value"] for one in document.iter() if one.get("key") == "casework:bucket"]
    assert Counter(said) >= Counter(map(visible, HOSTILE))
    assert len(traces(ET.tostring(document))) == CASES + len(HOSTILE)
    assert in_json == from_sqlite((tmp_path / "out").read_bytes())
    for number, text in enumerate(HOSTILE):
        place = f"case:{900_001 + number}"
        assert in_json.events[f"{place}:1"][2]["bucket"] == visible(text)
        related = (("loan", "loan"), ("staff", "owner_after"), ("agency", "agency"))
        assert {(f"{place}:1", f"{kind}:{visible(text)}", what) for kind, what in related} <= in_json.relations


@given(st.lists(st.text(st.sampled_from("\\u01ab\x00\x01\n\u2028"), max_size=9), min_size=2, max_size=2, unique=True))
def test_two_texts_never_look_the_same(texts: list[str]) -> None:
    one, other = map(visible, texts)
    assert one != other
    assert all(ord(letter) >= 32 and letter not in "\x7f\ufffe\uffff" for letter in one)


def test_types_that_look_alike_have_tables_of_their_own() -> None:
    found = tables_of(["case.step.go_on", "case.step_go.on", "case.step.goon", "case.stepgo.on"])
    assert found["case.step.go_on"] == "CaseStepGoOn"
    assert len({name.casefold() for name in found.values()}) == 4


# --- memory


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    def read(count: int) -> Iterator[tuple[Entry, EventPart]]:
        at = "2026-01-01T00:00:00.000000Z"
        for number in range(count):
            case, seq = divmod(number, 4)
            data = {"loan_id": f"L{case}", "borrower_id": f"B{case}", "owner": "S1"} if seq == 0 else {}
            event = "case.opened" if seq == 0 else "case.noted"
            yield entry(f"case:{case}", seq + 1, event, at, to="a", **data), EventPart.IN

    def peak(write: Callable[[int], None], count: int) -> int:
        tracemalloc.start()
        write(count)
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    numbers = itertools.count()

    def in_xes(count: int) -> None:
        assert sum(1 for _ in xes.lines(read(count), Names(VAULT, "none"))) > count

    def in_ocel(count: int) -> None:
        spool = EventSpool(tmp_path / f"spool{next(numbers)}")
        spool.fill(read(count), Names(VAULT, "none"))
        assert sum(1 for _ in ocel_json.lines(spool)) > count
        ocel_sqlite.write(spool, tmp_path / f"out{next(numbers)}")
        spool.close()

    for write in (in_xes, in_ocel):
        write(8)  # what is loaded once
        small, large = peak(write, 200), peak(write, 2_000)
        assert large < small + 200_000, write.__name__  # ids that are remembered for speed: at most 100,000


# --- the command


@pytest.fixture
def shell(log: BuiltLog) -> Callable[..., Result]:
    """The command line on the log's database."""

    def run(*arguments: str) -> Result:
        environment = {
            "CASEWORK_DATABASE_URL": log.settings.database_url, "CASEWORK_KEYS_DIR": str(log.settings.keys_dir),
            "CASEWORK_DATABASE_OWNER_URL": "", "COLUMNS": "200",
        }  # fmt: skip
        return CliRunner().invoke(main, ["audit", "mine", *arguments], env=environment)

    return run


def test_a_file_is_its_owners_alone_and_its_writing_is_an_entry(
    log: BuiltLog, shell: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "branch.json"
    result = shell("--format", "ocel-json", "--out", str(file), "--event", "case.step.*", "--case", "3", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["branch.json"]
    assert told["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    stream, _, number = told["entry_id"].rpartition(":")
    with reading(log.engine) as conn:
        wanted = sa.select(entries.c.body).where(entries.c.stream == stream, entries.c.stream_seq == int(number))
        body = json.loads(bytes(conn.execute(wanted).scalar_one()))
    assert (stream, body["event"]) == ("exports:system", "audit.mined")
    assert body["data"] == {
        "format": "ocel-json", "filter": {"events": ["case.step.*"], "case_ids": [3]}, "pseudonyms": "customers",
        "events": told["events"], "traces": None, "objects": told["objects"], "bytes": told["bytes"],
        "sha256": told["sha256"],
    }  # fmt: skip
    human = shell("--format", "xes", "--out", str(tmp_path / "b"), "--case", "3", "--event", "case.step.*")
    assert f"{told['events']} events" in human.stdout
    assert told["events"] > 0


def test_a_file_that_is_there_is_never_replaced_nor_recorded(
    log: BuiltLog, shell: Callable[..., Result], tmp_path: Path
) -> None:
    file, link = tmp_path / "there.xes", tmp_path / "link.xes"
    file.write_text("mine")
    link.symlink_to(tmp_path / "nowhere")
    before = expected(log, prefixes=("exports",))
    for place in (file, link):
        result = shell("--format", "xes", "--out", str(place))
        assert (result.exit_code, result.stderr.split(":")[0]) == (1, "file_exists")
    unwritable = shell("--format", "xes", "--out", str(tmp_path / "no" / "such.xes"))
    assert (unwritable.exit_code, unwritable.stderr.split(":")[0]) == (1, "file_unwritable")
    assert file.read_text() == "mine"
    assert expected(log, prefixes=("exports",)) == before


def test_only_who_may_read_the_log_may_take_it_out(shell: Callable[..., Result], tmp_path: Path) -> None:
    result = shell("--format", "xes", "--out", str(tmp_path / "a.xes"), "--as", "T1")
    assert (result.exit_code, result.stderr.split(":")[0]) == (1, "post_not_permitted")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("--from", "soon"), ("--format", "csv"), ("--case", "0"), ("--pseudonyms", "some")])
def test_a_mistaken_option_is_told(shell: Callable[..., Result], tmp_path: Path, words: tuple[str, str]) -> None:
    assert shell("--format", "xes", "--out", str(tmp_path / "a.xes"), *words).exit_code == 2


def test_a_body_that_cannot_be_read_is_named_and_nothing_is_written(log: BuiltLog) -> None:
    with log.attacked() as conn:
        with guards_down(conn):
            change_entry(conn, "case:2", 3, body=b"{}", leaf_hash=leaf_hash(b"{}"))
        chosen = Chosen(conn, MiningWanted(), ("case",), BusinessDates(conn, log.branch), log.branch.time_zone)
        with pytest.raises(CallerError) as refused:
            list(chosen.read())
    assert (refused.value.code, refused.value.facts["stream"], refused.value.facts["stream_seq"]) == (
        "entry_unreadable", "case:2", 3,
    )  # fmt: skip
