"""Which entries: the filter of search and exports, what its parts may be, and whether an entry matches it. Pure."""

import re
from datetime import datetime
from typing import Final

import msgspec

from casework.errors import CallerError
from casework.evidence.search.said import Said
from casework.log.format.entry import MAX_INT, STREAM

MAX_STREAMS: Final = 50


class TermsWanted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which entries: every part given must hold.

    `event` and `rule` may end in `*`: all that begin so. `code` is the reason code or any reason of a refusal. A period
    is of `recorded_at`, from its first instant up to but not including its end. Amounts are in fen, both ends included:
    one amount of the entry must lie between them. `streams`: any of these, none meaning all. `about`: the case or the
    person that an act on lists, or of the evening, names.
    """

    streams: tuple[str, ...] | None = None
    event: str | None = None
    actor: str | None = None
    rule: str | None = None
    code: str | None = None
    post: str | None = None
    about: str | None = None
    recorded_from: datetime | None = None
    recorded_until: datetime | None = None
    amount_fen_min: int | None = None
    amount_fen_max: int | None = None
    newest_first: bool = False


_GRAMMARS: Final = {
    "event": (r"[a-z0-9_.]{0,80}\*?", "an event such as case.step.place, or its beginning and *"),
    "actor": (r"[A-Za-z0-9._:-]{1,64}", "a staff number"),
    "rule": (r"[A-Za-z0-9.]{0,16}\*?", "a rule such as 1.3.1a, or its beginning and *"),
    "code": (r"[a-z0-9_]{1,64}", "a reason code"),
    "post": (r"[a-z0-9_]{1,64}", "a post"),
    "about": (r"case:[0-9]{1,15}|staff:[A-Za-z0-9._-]{1,64}", "case:17 or staff:S0012"),
}
_STREAM: Final = re.compile(STREAM, re.ASCII)


def check(wanted: TermsWanted) -> None:
    """CallerError `filter_malformed`, naming the part: what no entry could have is refused, not searched for."""
    for name, (pattern, needs) in _GRAMMARS.items():
        value: str | None = getattr(wanted, name)
        if value is not None and (not value or re.fullmatch(pattern, value, re.ASCII) is None):
            raise malformed(name, needs)
    if wanted.streams is not None:
        if len(wanted.streams) > MAX_STREAMS:
            raise malformed("subject", f"one of at most {MAX_STREAMS} streams; name one of them")
        if any(_STREAM.fullmatch(stream) is None for stream in wanted.streams):
            raise malformed("stream", "a stream such as case:17")
    low, high = wanted.amount_fen_min, wanted.amount_fen_max
    for name, bound in (("amount_fen_min", low), ("amount_fen_max", high)):
        if bound is not None and not 0 <= bound <= MAX_INT:
            raise malformed(name, "a number of fen, 0 or more")
    if low is not None and high is not None and low > high:
        raise malformed("amount_fen_max", "no less than amount_fen_min")
    begin, end = wanted.recorded_from, wanted.recorded_until
    if begin is not None and end is not None and begin >= end:
        raise malformed("to", "after from")


def amount_range(wanted: TermsWanted) -> tuple[int, int] | None:
    """The amounts asked for, both ends; none where none are."""
    if wanted.amount_fen_min is None and wanted.amount_fen_max is None:
        return None
    return wanted.amount_fen_min or 0, MAX_INT if wanted.amount_fen_max is None else wanted.amount_fen_max


def reads_bodies(wanted: TermsWanted) -> bool:
    """Whether an entry's columns do not tell if it matches."""
    parts = (wanted.rule, wanted.code, wanted.post, wanted.about)
    return any(part is not None for part in parts) or bool(amount_range(wanted))


def matches(wanted: TermsWanted, said: Said, stream: str, recorded_at: datetime) -> bool:
    """Whether an entry is one of those wanted."""
    amounts = amount_range(wanted)
    return (
        (wanted.streams is None or stream in wanted.streams)
        and (wanted.event is None or _begins(said.event, wanted.event))
        and (wanted.actor is None or said.actor == wanted.actor)
        and (wanted.rule is None or any(_begins(rule, wanted.rule) for rule in said.rules))
        and (wanted.code is None or wanted.code in said.codes)
        and (wanted.post is None or said.post == wanted.post)
        and (wanted.about is None or wanted.about in said.about)
        and (wanted.recorded_from is None or recorded_at >= wanted.recorded_from)
        and (wanted.recorded_until is None or recorded_at < wanted.recorded_until)
        and (amounts is None or any(amounts[0] <= amount <= amounts[1] for amount in said.amounts))
    )


def _begins(value: str, wanted: str) -> bool:
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted


def malformed(field: str, needs: str) -> CallerError:
    """The mistake, by the name of the filter's part."""
    return CallerError("filter_malformed", field=field, needs=needs)
