"""What proves the log to somebody who holds a checkpoint: the newest one, inclusion and consistency proofs.

Every proof is verified before it is handed out: one that fails would only show later that the database was changed.
"""

from collections.abc import Sequence

from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.format import tree
from casework.log.format.checkpoint import WitnessKey
from casework.log.format.proof import InclusionProof
from casework.log.format.tiles import MalformedTile
from casework.log.queries import leaf_of_entry
from casework.log.write.cosignatures import newest_cosigned, with_cosignatures
from casework.log.write.grown import (
    begun_log,
    damaged,
    hashes_of,
    last_published,
    root_at,
    size_of,
)


def published_note(conn: Connection, witnesses: Sequence[WitnessKey] = ()) -> bytes:
    """The newest checkpoint as it was signed, and cosigned by these; CallerErrors `log_not_begun`, `no_checkpoint`."""
    log = begun_log(conn)
    found = last_published(conn, log)
    if found is None:
        raise CallerError("no_checkpoint")
    return with_cosignatures(conn, log, found, witnesses)


def cosigned_note(conn: Connection, witnesses: Sequence[WitnessKey]) -> bytes:
    """The newest checkpoint that one of these has cosigned; CallerErrors `log_not_begun`, `no_cosigned_checkpoint`."""
    return newest_cosigned(conn, begun_log(conn), witnesses)


def inclusion_of(conn: Connection, entry_id: str, witnesses: Sequence[WitnessKey] = ()) -> InclusionProof:
    """In the newest checkpoint, with the cosignatures that it has of these witnesses.

    CallerErrors `log_not_begun`, `unknown_entry`, `not_sealed_yet`, `proof_fails`; `conn` is one snapshot.
    """
    log = begun_log(conn)
    index, leaf = leaf_of_entry(conn, log, entry_id)
    found = last_published(conn, log, covering=index)
    if found is None:
        raise CallerError(
            "not_sealed_yet", "该分录尚未纳入已签署的检查点", "no signed checkpoint covers this entry yet",
            entry_id=entry_id,
        )  # fmt: skip
    try:
        hashes = tree.prove_inclusion(index, found.size, hashes_of(conn, log, found.size))
        tree.verify_inclusion(index, found.size, leaf, hashes, found.root)
    except tree.Faulty:
        raise CallerError(
            "proof_fails",
            "证明与检查点不符：日志被改动，请运行 casework audit verify",
            "the proof does not lead to the checkpoint: the log was changed; run: casework audit verify",
            entry_id=entry_id,
        ) from None
    return InclusionProof(index, tuple(hashes), with_cosignatures(conn, log, found, witnesses))


def consistency_of(conn: Connection, old: int, new: int) -> list[bytes]:
    """CallerErrors `log_not_begun`, `size_unknown`, `tree_damaged`; `conn` is one snapshot."""
    log = begun_log(conn)
    size = size_of(conn, log)
    if not old <= new <= size:
        raise CallerError(
            "size_unknown", f"须有 OLD ≤ NEW ≤ {size}", f"it must be OLD <= NEW <= {size}, which the log has",
            leaves=size,
        )  # fmt: skip
    try:
        hashes = tree.prove_consistency(old, new, hashes_of(conn, log, new))
        tree.verify_consistency(old, new, hashes, root_at(conn, log, old), root_at(conn, log, new))
    except (MalformedTile, tree.ProofRefused):
        raise damaged() from None
    return hashes
