"""The entries of one stream, one after the other, each checked before it is believed. Pure.

The MAC is made of the leaf hash, which is made here from the very bytes that are read: what this service did not write
is never folded. `prev` and the number tell what is missing between two entries. Whoever has the service's own key can
write a consistent stream; only a checkpoint kept elsewhere tells that (`casework audit verify --trusted`), and only
the tree tells that entries at the end of a stream are missing.
"""

from typing import Any, Final

import msgspec

from casework.errors import CallerError
from casework.log.check.finding_texts import TEXTS
from casework.log.format.chain import leaf_hash, mac_matches

COLUMNS: Final = ("stream", "stream_seq", "body", "mac")
"""What `Chain.read` takes, as `casework.log.stored` reads it."""


class Who(msgspec.Struct, frozen=True, gc=False):
    """Who acted."""

    id: str
    via: str


class SaidThen(msgspec.Struct, frozen=True, gc=False):
    """What an entry says, as far as the past is asked for it; `data` stays as it came until somebody needs it."""

    actor: Who
    chart: str | None
    data: msgspec.Raw
    event: str
    from_: str | None = msgspec.field(name="from")
    policy: str | None
    prev: str | None
    reason_code: str | None
    recorded_at: str
    rules: tuple[str, ...]
    stream: str
    stream_seq: int
    to: str | None


class _Dated(msgspec.Struct, gc=False):
    business_date: str


_decode = msgspec.json.Decoder(SaidThen).decode
_data = msgspec.json.Decoder(dict[str, Any]).decode
_dated = msgspec.json.Decoder(_Dated).decode


def data_of(said: SaidThen) -> dict[str, Any]:
    """The entry's own data."""
    return _data(said.data)


def business_date_of(said: SaidThen) -> str:
    """The institution's business date when the entry of a case was written, in ISO form."""
    try:
        return _dated(said.data).business_date
    except msgspec.ValidationError:
        raise broken("replay_impossible", said.stream, said.stream_seq, error="business_date") from None


class Chain:
    """One stream from its first entry on. `seq`, `leaf` and `recorded_at` are those of the last entry read."""

    __slots__ = ("_key", "leaf", "recorded_at", "seq", "stream")

    def __init__(self, stream: str, mac_key: bytes) -> None:
        self._key = mac_key
        self.stream = stream
        self.seq = 0
        self.leaf = b""
        self.recorded_at = ""

    def read(self, row: Any) -> SaidThen:
        """The next entry; CallerError `log_broken` unless it is authentic and follows the one before."""
        stream, seq, body, tag = row
        if type(body) is not bytes:
            raise broken("body_malformed", stream, seq)
        leaf = leaf_hash(body)
        if type(tag) is not bytes or not mac_matches(self._key, leaf, tag):
            raise broken("mac_wrong", stream, seq)
        try:
            said = _decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise broken("body_malformed", stream, seq) from None
        here = said.stream_seq
        if said.stream != stream or here != seq:
            raise broken("column_differs", stream, seq, columns=["stream", "stream_seq"])
        if here != self.seq + 1:
            raise broken("stream_hole" if here > self.seq else "stream_repeat", stream, here)
        if said.prev != (self.leaf.hex() if self.seq else None):
            raise broken("link_broken", stream, here)
        if said.recorded_at < self.recorded_at:
            raise broken("back_dated", stream, here)
        self.seq, self.leaf, self.recorded_at = here, leaf, said.recorded_at
        return said


def broken(fault: str, stream: str | None, seq: int | None, **detail: Any) -> CallerError:
    """`log_broken`: what is wrong (a finding of `casework audit verify`) and where; there is no answer then."""
    zh, en = TEXTS[fault]
    place = f"{stream}:{seq}" if stream is not None else "–"
    return CallerError(
        "log_broken", f"日志在 {place} 处不可信，无法作答：{zh}（请运行 casework audit verify）",
        f"the log cannot be relied on at {place}, so there is no answer: {en}; run casework audit verify",
        fault=fault, stream=stream, stream_seq=seq, **detail,
    )  # fmt: skip
