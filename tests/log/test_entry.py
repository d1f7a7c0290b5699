"""The bytes of one entry: RFC 8785 inside the profile, and nothing outside it."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from casework.log.format import entry as entry_module
from casework.log.format.entry import (
    MAX_BODY_BYTES,
    MAX_DEPTH,
    MAX_INT,
    SCHEMA,
    Entry,
    MalformedEntry,
    SignedActor,
    decode_strict,
    encode,
    entry_id_of,
)

PREV = "0f" * 32
COMMITMENT = "c1:" + "ab" * 32
Document = dict[str, Any]


def document(**changed: Any) -> Document:
    """A good entry as the plain JSON object that an auditor sees."""
    return {
        "actor": {"id": "S001", "kind": "staff", "via": "api"},
        "chart": "overdue_loan@1#" + "a1" * 8,
        "data": {
            "days_past_due": 9,
            "reachable": False,
            "note": None,
            "days": [4, 5],
            "amount_fen": 5_000_000,
        },
        "entry_id": "case:7:3",
        "event": "case.step.mark_lost",
        "from": "phone_collection",
        "occurred_at": "2026-03-02T01:02:03.000004Z",
        "personal": {"remark": COMMITMENT},
        "policy": "2024-01-01#" + "b2" * 8,
        "prev": PREV,
        "reason_code": "no_answer",
        "recorded_at": "2026-03-02T01:02:04.000000Z",
        "rules": ["1.3.1c", "X15"],
        "schema": SCHEMA,
        "stream": "case:7",
        "stream_seq": 3,
        "to": "lost_contact",
    } | changed


def entry_of(plain: Document) -> Entry:
    """The same object as an Entry, unchecked, as a writer would build it."""
    fields = {("from_" if key == "from" else key): value for key, value in plain.items()}
    return Entry(**fields | {"actor": SignedActor(**plain["actor"]), "rules": tuple(plain["rules"])})


def bytes_of(plain: Document) -> bytes:
    """Sorted, unspaced JSON by the standard library: what a forger would write, checked by nobody."""
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_a_good_entry_encodes_as_rfc8785_says_and_reads_back_as_itself() -> None:
    entry = entry_of(document())
    body = encode(entry)
    assert body == rfc8785.dumps(document())
    assert decode_strict(body) == entry


def test_an_entry_has_exactly_the_keys_of_the_format() -> None:
    """And the fields stand in the order of their keys, on which canonical encoding rests."""
    keys = list(Entry.__struct_encode_fields__)
    assert keys == sorted(document())
    assert list(SignedActor.__struct_encode_fields__) == ["id", "kind", "via"]


# --- corrupt twins: one change each, and its finding

NESTED: Any = 1
for _ in range(MAX_DEPTH):
    NESTED = [NESTED]

TWINS: list[tuple[str, Document, str]] = [
    ("a float", {"data": {"rate": 0.5}}, "float"),
    ("a whole float", {"data": {"rate": 1.0}}, "float"),
    ("minus nought", {"data": {"rate": -0.0}}, "float"),
    ("a float inside a list", {"data": {"rates": [1, [2, 0.5]]}}, "float"),
    ("2^53", {"data": {"amount_fen": 2**53}}, "integer_range"),
    ("-2^53", {"data": {"amount_fen": -(2**53)}}, "integer_range"),
    ("2^53 inside an object", {"data": {"sums": {"amount_fen": 2**53}}}, "integer_range"),
    ("nesting too deep", {"data": {"a": NESTED}}, "too_deep"),
    ("an upper-case key", {"data": {"Amount": 1}}, "malformed_key"),
    ("a key beyond ASCII", {"data": {"金额": 1}}, "malformed_key"),
    ("an empty key", {"data": {"": 1}}, "malformed_key"),
    ("a key too long", {"data": {"k" * 65: 1}}, "malformed_key"),
    ("a key with a line end", {"data": {"k\n": 1}}, "malformed_key"),
    ("a bad key inside an object", {"data": {"a": {"B": 1}}}, "malformed_key"),
    ("a bad personal key", {"personal": {"Name": COMMITMENT}}, "malformed_key"),
    ("a personal value in the clear", {"personal": {"name": "13800000000"}}, "malformed_commitment"),
    ("an upper-case commitment", {"personal": {"name": "c1:" + "AB" * 32}}, "malformed_commitment"),
    ("an upper-case hash", {"prev": "0F" * 32}, "malformed_prev"),
    ("a short hash", {"prev": "0f" * 31}, "malformed_prev"),
    ("a hash with spaces", {"prev": "0f " * 21 + "0"}, "malformed_prev"),
    ("a hash in full-width digits", {"prev": "\uff10" * 64}, "malformed_prev"),
    ("no prev on a later entry", {"prev": None}, "prev_missing"),
    ("a prev on the first entry", {"stream_seq": 1, "entry_id": "case:7:1"}, "prev_on_first"),
    ("number nought", {"stream_seq": 0, "entry_id": "case:7:0"}, "malformed_stream_seq"),
    ("number 2^53", {"stream_seq": 2**53, "entry_id": f"case:7:{2**53}"}, "malformed_stream_seq"),
    ("another stream's id", {"entry_id": "case:8:3"}, "wrong_entry_id"),
    ("another number's id", {"entry_id": "case:7:4"}, "wrong_entry_id"),
    ("a padded id", {"entry_id": "case:7:03"}, "wrong_entry_id"),
    ("local time", {"occurred_at": "2026-03-02T01:02:03.000004+08:00"}, "malformed_time"),
    ("time without zone", {"occurred_at": "2026-03-02T01:02:03.000004"}, "malformed_time"),
    ("time without fraction", {"recorded_at": "2026-03-02T01:02:03Z"}, "malformed_time"),
    ("time with a space", {"recorded_at": "2026-03-02 01:02:03.000004Z"}, "malformed_time"),
    ("time with a comma", {"recorded_at": "2026-03-02T01:02:03,000004Z"}, "malformed_time"),
    ("time by week", {"recorded_at": "2026-W10-1T01:02:03.000004Z"}, "malformed_time"),
    ("30 February", {"recorded_at": "2026-02-30T01:02:03.000004Z"}, "malformed_time"),
    ("24 o'clock", {"recorded_at": "2026-03-02T24:00:00.000000Z"}, "malformed_time"),
    ("second 60", {"recorded_at": "2026-03-02T01:02:60.000000Z"}, "malformed_time"),
    ("time with a line end", {"recorded_at": "2026-03-02T01:02:03.000004Z\n"}, "malformed_time"),
    ("time in full-width digits", {"recorded_at": "\uff12026-03-02T01:02:03.000004Z"}, "malformed_time"),
    ("an event of one word", {"event": "opened"}, "malformed_event"),
    ("an event of five words", {"event": "a.b.c.d.e"}, "malformed_event"),
    ("an event in capitals", {"event": "case.Opened"}, "malformed_event"),
    ("an event with a line end", {"event": "case.opened\n"}, "malformed_event"),
    ("an endless event", {"event": "case." + "a" * 200}, "malformed_event"),
    ("a stream without a kind", {"stream": ":7", "entry_id": ":7:3"}, "malformed_stream"),
    ("a stream with two colons", {"stream": "case:7:1", "entry_id": "case:7:1:3"}, "malformed_stream"),
    ("a stream with two tildes", {"stream": "case:7~1~2", "entry_id": "case:7~1~2:3"}, "malformed_stream"),
    ("a stream with nothing behind its tilde", {"stream": "case:7~", "entry_id": "case:7~:3"}, "malformed_stream"),
    ("a stream with a slash", {"stream": "case:../7", "entry_id": "case:../7:3"}, "malformed_stream"),
    ("a state in words", {"to": "lost contact"}, "malformed_state"),
    ("free text as a reason", {"reason_code": "he does not answer"}, "malformed_reason_code"),
    ("a chart without its digest", {"chart": "overdue_loan@1"}, "malformed_chart"),
    ("a chart with an upper-case digest", {"chart": "overdue_loan@1#" + "A1" * 8}, "malformed_chart"),
    ("a policy without its digest", {"policy": "2024-01-01"}, "malformed_policy"),
    ("a rule in words", {"rules": ["1.3.1c", "lost contact"]}, "malformed_rule"),
    ("an actor by name", {"actor": {"id": "张三", "kind": "staff", "via": "api"}}, "malformed_actor"),
    ("an actor of no kind", {"actor": {"id": "S001", "kind": "", "via": "api"}}, "malformed_actor"),
]


@pytest.mark.parametrize(("change", "finding"), [twin[1:] for twin in TWINS], ids=[twin[0] for twin in TWINS])
def test_a_corrupt_twin_is_neither_written_nor_read(change: Document, finding: str) -> None:
    """The writer refuses to encode it, and the reader refuses the bytes that a forger would make of it."""
    plain = document(**change)
    with pytest.raises(MalformedEntry) as written:
        encode(entry_of(plain))
    with pytest.raises(MalformedEntry) as read:
        decode_strict(bytes_of(plain))
    assert written.value.code == read.value.code == finding


BODY = encode(entry_of(document()))

FORGED: list[tuple[str, bytes, str]] = [
    ("no byte", b"", "body_size"),
    ("64 kB", BODY.ljust(MAX_BODY_BYTES + 1), "body_size"),
    ("a space after a colon", BODY.replace(b":", b": ", 1), "not_canonical"),
    ("a space at the end", BODY + b" ", "not_canonical"),
    ("a line end at the end", BODY + b"\n", "not_canonical"),
    ("a byte order mark", b"\xef\xbb\xbf" + BODY, "not_json"),
    ("a key twice, equal", BODY.replace(b'"to":', b'"to":"lost_contact","to":'), "not_canonical"),
    ("a key twice, first one false", BODY.replace(b'"to":', b'"to":"settled","to":'), "not_canonical"),
    (
        "a key of data twice",
        BODY.replace(b'"days_past_due"', b'"days_past_due":1,"days_past_due"'),
        "not_canonical",
    ),
    (
        "keys out of order",
        b'{"to":"lost_contact",' + BODY[1:].replace(b',"to":"lost_contact"', b""),
        "not_canonical",
    ),
    ("a letter escaped", BODY.replace(b"lost_contact", b"lost\\u005fcontact"), "not_canonical"),
    ("a slash escaped", BODY.replace(b"casework/", b"casework\\/"), "not_canonical"),
    (
        "minus nought as an integer",
        BODY.replace(b'"days_past_due":9', b'"days_past_due":-0'),
        "not_canonical",
    ),
    ("an exponent", BODY.replace(b'"days_past_due":9', b'"days_past_due":9e0'), "float"),
    ("not a number", BODY.replace(b'"days_past_due":9', b'"days_past_due":NaN'), "not_json"),
    ("a leading nought", BODY.replace(b'"days_past_due":9', b'"days_past_due":09'), "not_json"),
    ("a lone surrogate, escaped", BODY.replace(b'"note":null', b'"note":"\\ud800"'), "not_json"),
    ("a lone surrogate, raw", BODY.replace(b'"note":null', b'"note":"\xed\xa0\x80"'), "not_json"),
    ("overlong UTF-8", BODY.replace(b'"note":null', b'"note":"\xc0\xaf"'), "not_json"),
    ("an extra key", BODY.replace(b'"to":', b'"tip":1,"to":'), "wrong_shape"),
    ("an extra key of the actor", BODY.replace(b'"via":', b'"post":"auditor","via":'), "wrong_shape"),
    ("a number as a text", BODY.replace(b'"stream_seq":3', b'"stream_seq":"3"'), "wrong_shape"),
    ("a boolean as a number", BODY.replace(b'"stream_seq":3', b'"stream_seq":true'), "wrong_shape"),
    ("a whole float as a number", BODY.replace(b'"stream_seq":3', b'"stream_seq":3.0'), "wrong_shape"),
    ("another schema", BODY.replace(b"audit/v1", b"audit/v2"), "wrong_shape"),
    ("a list", b"[]", "wrong_shape"),
    ("half an entry", BODY[: len(BODY) // 2], "not_json"),
    ("two entries", BODY + BODY, "not_json"),
    ("a tower of lists", BODY.replace(b"[4,5]", b"[" * 30_000 + b"]" * 30_000), "not_json"),
]


@pytest.mark.parametrize(("body", "finding"), [forged[1:] for forged in FORGED], ids=[forged[0] for forged in FORGED])
def test_forged_bytes_are_refused_by_name(body: bytes, finding: str) -> None:
    assert body != BODY, "the forgery changed nothing"
    with pytest.raises(MalformedEntry) as refused:
        decode_strict(body)
    assert refused.value.code == finding


@pytest.mark.parametrize("key", sorted(document()))
def test_an_entry_without_one_of_its_keys_is_refused(key: str) -> None:
    plain = document()
    del plain[key]
    with pytest.raises(MalformedEntry):
        decode_strict(bytes_of(plain))


@pytest.mark.parametrize("key", ["chart", "from", "policy", "reason_code", "to"])
def test_what_an_event_may_lack_is_null_and_never_left_out(key: str) -> None:
    plain = document(**{key: None})
    assert encode(entry_of(plain)) == rfc8785.dumps(plain)


def test_a_lone_surrogate_is_not_written_and_not_quoted() -> None:
    with pytest.raises(MalformedEntry) as refused:
        encode(entry_of(document(data={"phone": "13800000000\ud800"})))
    assert refused.value.code == "lone_surrogate"
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_an_entry_too_large_is_not_written() -> None:
    room = MAX_BODY_BYTES - len(encode(entry_of(document(data={"a": ""}))))
    assert len(encode(entry_of(document(data={"a": "x" * room})))) == MAX_BODY_BYTES
    with pytest.raises(MalformedEntry, match="body_size"):
        encode(entry_of(document(data={"a": "x" * (room + 1)})))


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), msgspec.UNSET, type("Text", (str,), {})("x")])
def test_a_value_of_a_foreign_type_is_not_written(value: object) -> None:
    with pytest.raises(MalformedEntry, match="foreign_type"):
        encode(entry_of(document(data={"a": value})))


@pytest.mark.parametrize("seq", [True, 3.0, "3"])
def test_a_stream_number_of_another_type_is_not_written(seq: Any) -> None:
    with pytest.raises(MalformedEntry, match="malformed_stream_seq"):
        encode(entry_of(document(stream_seq=seq)))


@pytest.mark.parametrize(
    "event",
    ["case.opened", "case.step.mark_lost", "case.refused.place", "case.fact.contact_day", "feed.applied"],
)
def test_the_events_of_the_house_fit_the_grammar(event: str) -> None:
    assert decode_strict(encode(entry_of(document(event=event)))).event == event


def test_what_passed_once_is_remembered_but_what_failed_is_refused_every_time() -> None:
    """The memories behind the fast check must not let a bad text pass the second time."""
    bad = entry_of(document(event="Case.Opened", data={"Bad": 1}))
    for _ in range(3):
        with pytest.raises(MalformedEntry):
            encode(bad)
    partly = entry_of(document(data={"good_key_before": 1, "Bad_key_after": 2}))
    for _ in range(3):
        with pytest.raises(MalformedEntry):
            encode(partly)


def test_the_memory_of_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of hostile bodies with new keys each cannot fill the memory of its reader."""
    monkeypatch.setattr(entry_module, "_seen_keys", set[str]())
    for number in range(200):
        decode_strict(encode(entry_of(document(data={f"k{number}_{index}": 1 for index in range(100)}))))
    assert len(entry_module._seen_keys) < 5_000


def test_the_id_of_an_entry_names_its_stream_and_number() -> None:
    assert entry_id_of("case:7", 3) == "case:7:3"


# --- properties

keys = st.from_regex(r"[a-z0-9_]{1,64}", fullmatch=True)
integers = st.integers(-MAX_INT, MAX_INT)
scalars = st.none() | st.booleans() | integers | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)


def shallow(value: object) -> bool:
    """Whether a value of `data` nests no deeper than the profile allows."""

    def depth(inner: Any) -> int:
        if isinstance(inner, dict):
            return 1 + max(map(depth, inner.values()), default=0)
        return 1 + max(map(depth, inner), default=0) if isinstance(inner, list) else 0

    return depth(value) < MAX_DEPTH


times = st.datetimes().map(lambda instant: instant.isoformat(timespec="microseconds") + "Z")
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)


@st.composite
def documents(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Document:
    """Any object inside the profile."""
    stream = draw(st.from_regex(r"[a-z]+:[A-Za-z0-9._-]{1,64}(~[A-Za-z0-9._-]{1,64})?", fullmatch=True))
    seq = draw(st.integers(1, MAX_INT) | st.integers(1, 3))
    return document(
        data=draw(st.dictionaries(keys, values.filter(shallow), max_size=12)),
        personal=draw(st.dictionaries(keys, hashes.map("c1:{}".format), max_size=3)),
        stream=stream,
        stream_seq=seq,
        entry_id=f"{stream}:{seq}",
        prev=None if seq == 1 else draw(hashes),
        occurred_at=draw(times),
        recorded_at=draw(times),
        rules=draw(st.lists(st.from_regex(r"[A-Z0-9][A-Za-z0-9.]{0,15}", fullmatch=True), max_size=3)),
        **{"from": draw(st.none() | keys), "to": draw(st.none() | keys)},
    )


@given(documents())
def test_every_entry_inside_the_profile_encodes_as_rfc8785_says(plain: Document) -> None:
    body = encode(entry_of(plain))
    assert body == rfc8785.dumps(plain)
    assert encode(decode_strict(body)) == body


@given(documents(), st.data())
def test_the_order_in_which_data_was_gathered_leaves_no_trace(plain: Document, data: st.DataObject) -> None:
    shuffled = dict(data.draw(st.permutations(list(plain["data"].items()))))
    assert encode(entry_of(plain | {"data": shuffled})) == encode(entry_of(plain))


@given(
    st.binary(max_size=200)
    | st.integers(0, len(BODY) - 1).flatmap(
        lambda at: st.binary(max_size=3).map(lambda piece: BODY[:at] + piece + BODY[at + 1 :])
    )
)
def test_whatever_the_bytes_the_reader_answers_with_the_entry_of_exactly_those_or_refuses(
    body: bytes,
) -> None:
    try:
        entry = decode_strict(body)
    except MalformedEntry:
        return
    assert encode(entry) == body
    assert rfc8785.dumps(json.loads(body)) == body
