"""What an entry says that can be asked for, and what it is filed under in the index. Pure.

Only codes, numbers and ids are taken: event, who acted, rules, codes of refusals, post, amounts. No other member of
`data` ever reaches the index, so nothing personal can.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

Term = tuple[str, str]
"""A kind of `KINDS`, and a value of that kind."""

ANY: Final[Term] = ("any", "")
"""Under which every entry is filed that the index covers."""
KINDS: Final = (
    "any", "event", "family", "actor", "rule", "code", "post", "about", "amount", "octave", "octaves", "cell",
)  # fmt: skip
"""`family`: what an event begins with, `case.` or `case.step.`; the last four are amounts at different precision."""
_AMOUNT_KINDS: Final = ("amount", "octave", "octaves")
_NAMED: Final = {
    "case": "case", "to": "staff", "from": "staff", "staff_no": "staff", "owed_by": "staff",
}  # fmt: skip
"""Where acts on lists and of the evening say which case and whose list they are about: no stream's name says it."""
_NAMING: Final = ("tasks.", "day.")
LONGEST: Final = 96
_CELL_SHIFT: Final = 10  # a cell is 1,024 fen wide
_CELLS: Final = 509  # and shares its term with every 509th
_MOST_CELLS: Final = 32


class Said(NamedTuple):
    """What one entry says. `codes`: its reason code and every reason of a refusal; `amounts` in fen.

    `about`: what an act on lists, or of the evening, names: `case:17`, `staff:S0103` (or a post's code).
    """

    event: str
    actor: str
    rules: tuple[str, ...]
    codes: tuple[str, ...]
    post: str | None
    amounts: tuple[int, ...]
    about: tuple[str, ...] = ()


class _Actor(msgspec.Struct, gc=False):
    id: str


class _Body(msgspec.Struct, gc=False):
    """The members of a body that count here; the others are passed over unread."""

    actor: _Actor
    event: str
    rules: tuple[str, ...]
    reason_code: str | None
    data: dict[str, Any]


_decode = msgspec.json.Decoder(_Body).decode


def said_by(body: bytes, *, event: str, actor: str) -> Said:
    """What `body` says; of one that is no entry (somebody changed it) only what its row's columns say."""
    try:
        read = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Said(event, actor, (), (), None, ())
    data = read.data
    codes = (read.reason_code,) if read.reason_code else ()
    reasons = data.get("reasons")
    if reasons and isinstance(reasons, list):
        codes = tuple(dict.fromkeys([*codes, *_codes_of(reasons)]))
    post = data.get("post")
    amounts: set[int] = set()
    _gather(data, amounts)
    return Said(
        read.event,
        read.actor.id,
        read.rules,
        codes,
        post if isinstance(post, str) else None,
        tuple(sorted(amounts)),
        tuple(dict.fromkeys(_named(data))) if read.event.startswith(_NAMING) else (),
    )


def _named(data: Mapping[str, Any]) -> Iterator[str]:
    for key, kind in _NAMED.items():
        value = data.get(key)
        if type(value) is (int if kind == "case" else str):
            yield f"{kind}:{value}"


def _codes_of(reasons: Iterable[Any]) -> Iterator[str]:
    for reason in reasons:
        code = reason.get("code") if isinstance(reason, dict) else None
        if isinstance(code, str):
            yield code


def _gather(data: Mapping[str, Any], amounts: set[int]) -> None:
    """Amounts: whole numbers below keys that end in `_fen`, at any depth. What a rule needs is no amount of a case."""
    for key, value in data.items():
        kind = type(value)
        if kind is int:
            if key.endswith("_fen"):
                amounts.add(value)
        elif kind is dict:
            if key != "needs":
                _gather(value, amounts)
        elif kind is list:
            for one in value:
                if type(one) is dict:
                    _gather(one, amounts)


# ── terms ───────────────────────────────────────────────────────────────────────────────────────────────────────


def terms_of(said: Said) -> Iterator[Term]:
    """Everything an entry is filed under; some of it may come twice."""
    yield ANY
    yield from _of_event(said.event)
    yield from _of("actor", said.actor)
    for rule in said.rules:
        yield from _of("rule", rule)
    for code in said.codes:
        yield from _of("code", code)
    if said.post is not None:
        yield from _of("post", said.post)
    for one in said.about:
        yield from _of("about", one)
    for amount in said.amounts:
        if amount >= 0:
            step = step_of(amount)
            yield from _OF_STEP[step] if step < len(_OF_STEP) else ()
            yield _OF_CELL[(amount >> _CELL_SHIFT) % _CELLS]


@lru_cache(1_024)
def _of_event(event: str) -> tuple[Term, ...]:
    families = [term for family in families_of(event) for term in _of("family", family)]
    return (*_of("event", event), *families)


@lru_cache(8_192)
def _of(kind: str, value: str) -> tuple[Term, ...]:
    """The term, if the index takes it: what the trail wrote always fits, what somebody put in its place need not."""
    return ((kind, value),) if len(value) <= LONGEST and value.isprintable() else ()


def families_of(event: str) -> list[str]:
    """`case.` and `case.step.` of `case.step.place`."""
    words = event.split(".")
    return [".".join(words[:count]) + "." for count in range(1, len(words))]


# ── amounts: an amount is filed under the quarter, the octave and the four octaves it lies in, and under its cell ────


def step_of(amount_fen: int) -> int:
    """The quarter of an octave in which an amount lies: larger amounts, no smaller steps. 0 for nothing."""
    octaves = amount_fen.bit_length()
    if not octaves:
        return 0
    return 4 * octaves + (amount_fen << 2 >> (octaves - 1) & 3)


_OF_STEP: Final = [
    tuple((kind, str(step >> (2 * level))) for level, kind in enumerate(_AMOUNT_KINDS))
    for step in range(step_of(2**64))
]
_OF_CELL: Final = [("cell", str(cell)) for cell in range(_CELLS)]


def range_terms(low: int, high: int) -> list[list[Term]]:
    """What amounts from `low` to `high` (0 or more) are filed under: one term of each list at least.

    Under the same terms lie others too; a narrow range has a second list, which leaves out most of those.
    """
    groups = [list(_cover(step_of(low), step_of(high) + 1))]
    first, last = low >> _CELL_SHIFT, high >> _CELL_SHIFT
    if last - first < _MOST_CELLS:
        groups.append([_OF_CELL[cell % _CELLS] for cell in range(first, last + 1)])
    return groups


def _cover(begin: int, end: int) -> Iterator[Term]:
    """The fewest steps, octaves and groups of octaves that together are the steps from `begin` to `end`."""
    for kind in _AMOUNT_KINDS[:-1]:
        while begin < end and begin % 4:
            yield kind, str(begin)
            begin += 1
        while begin < end and end % 4:
            end -= 1
            yield kind, str(end)
        begin, end = begin // 4, end // 4
    for number in range(begin, end):
        yield _AMOUNT_KINDS[-1], str(number)
