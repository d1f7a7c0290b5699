"""One check: look at the log, compare, cosign, remember, and only then hand it out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.evidence.witness import folder as kept
from casework.evidence.witness.fetching import CannotTell, WitnessedBranch
from casework.evidence.witness.judging import (
    CosigningRefused,
    Step,
    check_growth,
    judge,
    trust_of,
)
from casework.log.format.checkpoint import (
    Checkpoint,
    Cosigner,
    SignedCheckpoint,
    Trust,
    cosigned_at,
)
from casework.log.format.note import parse
from casework.log.format.times import CLOCKS_DIFFER_S
from casework.log.write.kept import holding

Prover = Callable[[Checkpoint, Checkpoint], bytes]
"""The consistency proof from the first to the second, as lines of base64; `CannotTell` where there is none."""


@dataclass(slots=True)
class Checked:
    """What came of a check: `step` from what was remembered, the checkpoint, and where the cosigned note lies.

    `at` is the time in our cosignature. `handed_in`: sizes that the branch has taken now; `kept_back`: why it has not.
    """

    step: Step
    checkpoint: Checkpoint
    path: Path
    at: int
    handed_in: list[int] = field(default_factory=list)
    kept_back: CannotTell | None = None


def check_branch(folder: Path, branch: WitnessedBranch, *, first: Path | None = None, clock: Clock = now) -> Checked:
    """Check the log that a branch serves; hand in what is cosigned. `CosigningRefused`, `CannotTell`, CallerErrors."""
    with holding(folder, kept.LOCK):
        offered = branch.checkpoint()
        checked = _check(folder, offered, lambda old, new: branch.consistency(old.size, new.size), first, clock)
        _hand_in(folder, branch, checked)
        return checked


def check_file(
    folder: Path, note: Path, *, proof: Path | None = None, first: Path | None = None, clock: Clock = now
) -> Checked:
    """Check a checkpoint that was carried here, with its proof. `CosigningRefused`, `CannotTell`, CallerErrors."""

    def prove(old: Checkpoint, new: Checkpoint) -> bytes:
        if proof is None:
            raise CannotTell(
                "proof_needed", f"bring the output of `casework audit consistency {old.size} {new.size}` as --proof"
            )
        return read_file(proof)

    with holding(folder, kept.LOCK):
        return _check(folder, read_file(note), prove, first, clock)


def _check(folder: Path, offered: bytes, prove: Prover, first: Path | None, clock: Clock) -> Checked:
    cosigner, trust = kept.read_key(folder), trust_of(kept.trusted_texts(folder))
    last = kept.remembered(folder, trust)
    known = last.checkpoint if last else None
    if last is not None:
        kept.restore(folder, last.data, last.checkpoint)
    if first is not None:
        if last is not None:
            raise CallerError("first_contact_over")
        known = judge(trust, None, read_file(first)).signed.checkpoint
    try:
        judged = judge(trust, known, offered)
        if judged.step == "grown" and known is not None:
            check_growth(known, judged, prove(known, judged.signed.checkpoint))
    except CosigningRefused as refused:
        kept.keep_refused(folder, refused.code, refused.offered)
        raise
    if last is not None and judged.step == "same":
        path = kept.path_of(folder, last.checkpoint)
        return Checked("same", last.checkpoint, path, _own_time(last, cosigner) or 0)
    step = judged.step if known is None or last is not None else "grown"
    return _cosign(folder, cosigner, last, judged.signed, step, trust, clock)


def _cosign(
    folder: Path, cosigner: Cosigner, last: SignedCheckpoint | None, signed: SignedCheckpoint, step: Step, trust: Trust,
    clock: Clock,
) -> Checked:  # fmt: skip
    at = int(clock().timestamp())
    before = _own_time(last, cosigner) if last else None
    if before is not None and at < before:
        if at < before - CLOCKS_DIFFER_S:
            raise CannotTell(
                "clock_backwards", "this machine's clock is behind the last cosignature; nothing is signed"
            )
        at = before
    if cosigner.public in {key.public for key in trust.log_keys}:
        raise CallerError("witness_is_the_log")
    # Cosignatures of others are theirs to give: only the log's signatures go on, and ours.
    read = parse(signed.data)
    own = {(key.name, key.key_id) for key in signed.log_keys}
    plain = read._replace(signatures=tuple(one for one in read.signatures if (one.name, one.key_id) in own))
    data = plain.signed_also(cosigner.cosign(signed.checkpoint, at)).encode()
    path = kept.remember(folder, data, signed.checkpoint)
    return Checked(step, signed.checkpoint, path, at)


def _own_time(last: SignedCheckpoint, cosigner: Cosigner) -> int | None:
    """The time in our own line of what is remembered; None where an earlier key signed it."""
    key = cosigner.key
    for one in parse(last.data).signatures:
        if (one.name, one.key_id) == (key.name, key.key_id) and key.signed(parse(last.data).text, one.blob):
            return cosigned_at(one.blob)
    return None


def _hand_in(folder: Path, branch: WitnessedBranch, checked: Checked) -> None:
    """Everything that the branch has not taken yet, also of checks before; what it will not have stays here."""
    for size in kept.not_handed_in(folder):
        try:
            branch.hand_in((folder / kept.COSIGNED / str(size)).read_bytes())
        except CannotTell as failure:
            checked.kept_back = failure
            if failure.code == "unreachable":
                return
            continue
        kept.mark_handed_in(folder, size)
        checked.handed_in.append(size)
        checked.kept_back = None


def read_file(path: Path) -> bytes:
    """A file that was brought, at most a mebibyte of it; `CannotTell` where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(1_048_576)
    except OSError as failure:
        raise CannotTell("unreadable", f"{path.name}: {type(failure).__name__}") from failure
