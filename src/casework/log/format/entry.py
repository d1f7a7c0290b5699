"""One audit entry and its only byte form: RFC 8785 in a restricted profile (docs/log.md §3). Pure.

Inside the profile msgspec's deterministic encoder writes exactly what RFC 8785 asks for; outside it the two
differ (1.0, -0.0, 2^53, keys beyond ASCII), and then two honest programs would hash different bytes for one
entry. So nothing is encoded before its profile has been checked, and nothing is read that does not encode
back to the same bytes.

Speed without skipping: texts that recur (event, chart, actor, keys of `data`) are remembered once they have
passed; only texts that passed are remembered, and each memory is bounded.
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Literal, NoReturn

import msgspec

SCHEMA: Final = "casework/audit/v1"
STREAM: Final = r"[a-z]+:[A-Za-z0-9._-]{1,64}(~[A-Za-z0-9._-]{1,64})?"
"""A stream's name: kind and number, after a `~` a number that is only one's within the first (a borrower's)."""
MAX_BODY_BYTES: Final = 65_535
MAX_INT: Final = 2**53 - 1  # beyond it a reader that keeps numbers as doubles would see another number
MIN_INT: Final = -MAX_INT
MAX_DEPTH: Final = 8  # of lists and objects in `data`: no entry needs more, and a reader must have a bound
_REMEMBERED: Final = 4_096


class MalformedEntry(ValueError):
    """An entry or body outside the format. `code` names the fault; the text never quotes a value."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class SignedActor(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Who acted: `id` is a staff number or a program's name, `kind` what it is, `via` the way it came in."""

    id: str
    kind: str
    via: str


class Entry(msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """What one entry says. Fields stand in the order of their keys, which makes the encoding canonical.

    `data` holds codes, numbers, dates and references, never personal data or free text: those are
    commitments in `personal` (docs/log.md §5). `from_` and `to` are states, None where the event has none;
    `chart` and `policy` are None where no chart or policy was asked. `prev` is the leaf hash of the stream's
    previous entry in hex, None exactly when `stream_seq` is 1. `occurred_at` is when it happened,
    `recorded_at` when the service wrote it.
    """

    actor: SignedActor
    chart: str | None
    data: dict[str, Any]
    entry_id: str
    event: str
    from_: str | None = msgspec.field(name="from")
    occurred_at: str
    personal: dict[str, str]
    policy: str | None
    prev: str | None
    reason_code: str | None
    recorded_at: str
    rules: tuple[str, ...]
    schema: Literal["casework/audit/v1"] = SCHEMA
    stream: str
    stream_seq: int
    to: str | None


_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Entry).decode


def entry_id_of(stream: str, stream_seq: int) -> str:
    """`case:7:3` for the third entry of stream `case:7`."""
    return f"{stream}:{stream_seq}"


def encode(entry: Entry) -> bytes:
    """The canonical bytes of an entry.

    MalformedEntry when the entry is outside the format, TypeError when a field has a type JSON cannot carry.
    """
    _check(entry)
    try:
        body = _encode(entry)
    except UnicodeEncodeError:
        # `from None`: the original error carries the whole text.
        raise MalformedEntry("lone_surrogate") from None
    if len(body) > MAX_BODY_BYTES:
        raise MalformedEntry("body_size")
    return body


def decode_strict(body: bytes) -> Entry:
    """The entry whose canonical bytes are exactly `body`; MalformedEntry for every other byte string."""
    if not 1 <= len(body) <= MAX_BODY_BYTES:
        raise MalformedEntry("body_size")
    try:
        entry = _decode(body)
    except msgspec.ValidationError:
        raise MalformedEntry("wrong_shape") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedEntry("not_json") from None
    # Encoding again finds spaces, key order, repeated keys, other escapes and "-0": no list to keep.
    if encode(entry) != body:
        raise MalformedEntry("not_canonical")
    return entry


# --- the profile


def _grammar(code: str, pattern: str) -> Callable[[str], None]:
    """A check that raises MalformedEntry(code) unless the whole text matches."""
    fullmatch = re.compile(pattern, re.ASCII).fullmatch

    def check(text: str) -> None:
        if type(text) is not str or fullmatch(text) is None:
            raise MalformedEntry(code)

    return check


_check_key = _grammar("malformed_key", r"[a-z0-9_]{1,64}")
_check_event = _grammar("malformed_event", r"(?=.{3,128}\Z)[a-z]+(\.[a-z0-9_]+){1,3}")
_check_stream = _grammar("malformed_stream", STREAM)
_check_stream_once = lru_cache(64)(_check_stream)  # who verifies reads stream by stream; a first entry's is a new one
_check_state = _grammar("malformed_state", r"[a-z0-9_]{1,64}")
_check_reason = _grammar("malformed_reason_code", r"[a-z0-9_]{1,64}")
_check_chart = _grammar("malformed_chart", r"[a-z0-9_]{1,64}@[A-Za-z0-9._-]{1,32}#[0-9a-f]{8,64}")
_check_policy = _grammar("malformed_policy", r"[0-9]{4}-[0-9]{2}-[0-9]{2}#[0-9a-f]{8,64}")
_check_rule = _grammar("malformed_rule", r"[A-Za-z0-9][A-Za-z0-9.]{0,15}")
_check_actor_id = _grammar("malformed_actor", r"[A-Za-z0-9._:-]{1,64}")
_check_actor_word = _grammar("malformed_actor", r"[a-z0-9_]{1,64}")
_check_commitment = _grammar("malformed_commitment", r"c1:[0-9a-f]{64}")


@lru_cache(_REMEMBERED)
def _check_step(
    event: str,
    from_: str | None,
    to: str | None,
    reason_code: str | None,
    chart: str | None,
    policy: str | None,
    rules: tuple[str, ...],
) -> None:
    """The texts that chart and policy put into an entry: few combinations, so remembered together."""
    _check_event(event)
    for text, check in (
        (from_, _check_state),
        (to, _check_state),
        (reason_code, _check_reason),
        (chart, _check_chart),
        (policy, _check_policy),
    ):
        if text is not None:
            check(text)
    for rule in rules:
        _check_rule(rule)


@lru_cache(_REMEMBERED)
def _check_actor(staff_no: str, kind: str, via: str) -> None:
    _check_actor_id(staff_no)
    _check_actor_word(kind)
    _check_actor_word(via)


@lru_cache(_REMEMBERED)
def _check_minute(text: str) -> None:
    """`YYYY-MM-DDTHH:MM`, well-formed and on the calendar: what survives the round trip is both."""
    try:
        if datetime.fromisoformat(text).isoformat(timespec="minutes") == text and len(text) == 16:
            return
    except ValueError:
        pass
    raise MalformedEntry("malformed_time")


_match_rest_of_time = re.compile(r":[0-5][0-9]\.[0-9]{6}Z").fullmatch


@lru_cache(64)  # of one transaction all are the same
def _check_time(text: str) -> None:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`. Minutes recur and are remembered; the rest is matched."""
    if type(text) is not str or _match_rest_of_time(text, 16) is None:
        raise MalformedEntry("malformed_time")
    _check_minute(text[:16])


def _check(entry: Entry) -> None:
    """MalformedEntry unless the entry is inside the profile; surrogates and size are left to the encoding."""
    actor = entry.actor
    _check_actor(actor.id, actor.kind, actor.via)
    _check_step(entry.event, entry.from_, entry.to, entry.reason_code, entry.chart, entry.policy, entry.rules)
    _check_time(entry.recorded_at)
    if entry.occurred_at != entry.recorded_at:
        _check_time(entry.occurred_at)
    if entry.schema != SCHEMA:
        raise MalformedEntry("unknown_schema")
    _check_place(entry)
    _check_object(entry.data, 1)
    if entry.personal:
        _check_keys(entry.personal)
        for commitment in entry.personal.values():
            _check_commitment(commitment)


def _check_place(entry: Entry) -> None:
    """Stream, number, id and `prev` agree with each other."""
    stream, seq, prev = entry.stream, entry.stream_seq, entry.prev
    (_check_stream if seq == 1 else _check_stream_once)(stream)
    if type(seq) is not int or not 1 <= seq <= MAX_INT:
        raise MalformedEntry("malformed_stream_seq")
    if entry.entry_id != f"{stream}:{seq}":
        raise MalformedEntry("wrong_entry_id")
    if prev is None:
        if seq != 1:
            raise MalformedEntry("prev_missing")
    elif seq == 1:
        raise MalformedEntry("prev_on_first")
    elif not _is_hash(prev):
        raise MalformedEntry("malformed_prev")


def _is_hash(text: str) -> bool:
    """64 lowercase hex digits: twice as fast as a pattern, and every `prev` is a new text."""
    try:
        return len(text) == 64 and bytes.fromhex(text).hex() == text
    except ValueError:
        return False


_seen_keys: set[str] = set()


def _check_keys(keys: Iterable[str]) -> None:
    """Check and remember keys; where speed counts, ask `_seen_keys.issuperset` first."""
    for key in keys:
        _check_key(key)
    if len(_seen_keys) < _REMEMBERED:
        _seen_keys.update(keys)


def _check_object(members: dict[str, Any], depth: int) -> None:
    if members:
        if not _seen_keys.issuperset(members):
            _check_keys(members)
        _check_values(members.values(), depth)


def _check_values(values: Iterable[Any], depth: int) -> None:
    # Exact types: a subclass may encode otherwise than it compares, and to isinstance a bool is an int.
    for value in values:
        kind = type(value)
        if kind is str or value is None:
            continue
        if kind is int:
            if not MIN_INT <= value <= MAX_INT:
                raise MalformedEntry("integer_range")
        elif kind is dict and depth < MAX_DEPTH:
            _check_object(value, depth + 1)
        elif (kind is list or kind is tuple) and depth < MAX_DEPTH:
            _check_values(value, depth + 1)
        elif kind is not bool:
            _refuse(kind, depth)


def _refuse(kind: type, depth: int) -> NoReturn:
    """No value that the profile takes, or none so deep."""
    if kind is float:
        raise MalformedEntry("float")
    raise MalformedEntry("too_deep" if depth == MAX_DEPTH else "foreign_type")
