"""Reading the loans of a past day again, as the entries of the feed say where they lie: for figures of that day."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import msgspec
from sqlalchemy.engine import Connection

from casework.evidence.past.chained import COLUMNS as CHAINED
from casework.evidence.past.chained import Chain, data_of
from casework.intake.feed.kept_loans import (
    COLUMNS,
    KEPT,
    KeptLoans,
    LoansThen,
    read,
)
from casework.intake.feed.left_rows import APPLIED, PREFIX
from casework.log.format.chain import is_genuine
from casework.log.stored import as_stored
from casework.log.tables import entries


def loans_on(
    conn: Connection, mac_key: bytes, loans_dir: Path, institution: str, day: date, columns: Sequence[str] = COLUMNS
) -> LoansThen | None:
    """The institution's loans as its last loans file of `day` or before has them, the latest correction of its day.

    None before the first. CallerErrors `log_broken`, `kept_loans_missing`, `kept_loans_changed`.
    """
    chain, found = Chain(f"{PREFIX}:{institution}", mac_key), None
    wanted = as_stored(entries, CHAINED, conn.dialect.name).where(entries.c.stream == chain.stream)
    for row in conn.execute(wanted.order_by(entries.c.stream_seq)):
        said = chain.read(row)
        if said.event != APPLIED:
            continue
        data = data_of(said)
        as_of = date.fromisoformat(data["as_of"])
        if KEPT in data and as_of <= day and (found is None or as_of >= found[0]):
            found = as_of, int(data["run"]), data[KEPT]
    if found is None:
        return None
    as_of, run, kept = found
    return LoansThen(as_of, run, read(loans_dir, msgspec.convert(kept, KeptLoans), columns))


def every_kept(conn: Connection, mac_key: bytes) -> Iterator[KeptLoans]:
    """Every file that an entry which this service wrote speaks of, each once; `conn` is one snapshot."""
    met = set()
    names = ("body", "leaf_hash", "mac")
    wanted = as_stored(entries, names, conn.dialect.name).where(
        entries.c.stream.startswith(f"{PREFIX}:"), entries.c.event == APPLIED
    )
    for body, leaf, mac in conn.execute(wanted.order_by(entries.c.id), execution_options={"yield_per": 100}):
        if is_genuine(mac_key, body, leaf, mac):
            said = msgspec.json.decode(body)["data"].get(KEPT)
            kept = None if said is None else msgspec.convert(said, KeptLoans)
            if kept is not None and kept not in met:
                met.add(kept)
                yield kept


__all__ = ["every_kept", "loans_on"]
