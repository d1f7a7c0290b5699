"""Whether a checkpoint may be cosigned, given the one that was signed last. Pure."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from casework.errors import CallerError
from casework.log.format import note, proof
from casework.log.format.checkpoint import Checkpoint, SignedCheckpoint, Trust
from casework.log.format.tree import Faulty

Step = Literal["first", "same", "grown"]

TEXTS: Final = {
    "fork": ("同一大小、不同的根：日志被分叉", "a fork: another root at the same size"),
    "shrunk": ("日志比上次见证时短", "the log is shorter than it was: it was cut, set back, or an old one is shown"),
    "inconsistent": (
        "日志不以上次见证的内容开头：历史被改写", "history was rewritten: the log does not begin with what it was",
    ),
    "other_origin": ("这是另一日志的检查点", "the checkpoint is of another log"),
    "unknown_key": ("检查点由未知密钥签署", "the checkpoint is signed by no key that this witness was told to trust"),
    "signature_wrong": ("检查点签名不符", "a signature of the checkpoint is wrong"),
    "malformed": ("不是检查点", "that is no checkpoint in the one form of a signed note"),
    "proof_malformed": ("一致性证明格式不正确", "the consistency proof is not in its one form"),
}  # fmt: skip


class CosigningRefused(Exception):
    """The witness does not sign. `code` is one of TEXTS; `offered` are the bytes it was shown: perhaps evidence."""

    def __init__(self, code: str, offered: bytes, facts: str = "") -> None:
        super().__init__(f"{TEXTS[code][1]}{f' ({facts})' if facts else ''}")
        self.code = code
        self.zh = TEXTS[code][0]
        self.offered = offered


class CheckpointJudged(NamedTuple):
    """A checkpoint of the trusted log and how it stands to the one that was signed last."""

    signed: SignedCheckpoint
    step: Step


def judge(trust: Trust, remembered: Checkpoint | None, offered: bytes) -> CheckpointJudged:
    """Open what was offered and compare; `CosigningRefused` for another log, a fork, or a shorter one.

    `grown` is not cosigned before `check_growth` has returned.
    """
    try:
        signed = trust.open(offered)
    except note.UnverifiedNote as fault:
        raise CosigningRefused(
            "signature_wrong" if fault.code == "signature_wrong" else "unknown_key", offered
        ) from None
    except Faulty as fault:
        code = "other_origin" if fault.code == "other_origin" else "malformed"
        raise CosigningRefused(code, offered, "" if code == "other_origin" else fault.code) from None
    new = signed.checkpoint
    if remembered is None:
        return CheckpointJudged(signed, "first")
    if new.size == remembered.size and new.root != remembered.root:
        raise CosigningRefused("fork", offered, _both(remembered, new))
    if new.size < remembered.size:
        raise CosigningRefused("shrunk", offered, _both(remembered, new))
    return CheckpointJudged(signed, "same" if new.size == remembered.size else "grown")


def check_growth(remembered: Checkpoint, judged: CheckpointJudged, proven: bytes) -> None:
    """`CosigningRefused` unless `proven`, lines of base64, shows that the larger log begins with the smaller one."""
    new = judged.signed.checkpoint
    try:
        hashes: Sequence[bytes] = proof.parse_hashes(proven)
    except Faulty as fault:
        raise CosigningRefused("proof_malformed", judged.signed.data, fault.code) from None
    try:
        proof.verify_consistency(remembered, new, hashes)
    except Faulty:
        raise CosigningRefused("inconsistent", judged.signed.data, _both(remembered, new)) from None


def _both(old: Checkpoint, new: Checkpoint) -> str:
    return f"signed {old.size}: {note.to_base64(old.root)}, shown {new.size}: {note.to_base64(new.root)}"


def trust_of(texts: Sequence[str]) -> Trust:
    """The log whose keys these are, by the name they share.

    CallerErrors `log_key_malformed`, `log_keys_differ` for keys of several logs, `log_keys_missing` for none.
    """
    try:
        keys = [note.LogKey.parse(text) for text in texts]
    except Faulty as fault:
        raise CallerError(
            "log_key_malformed", f"不是日志的公钥（{fault.code}）", f"that is no log's verifier key ({fault.code})"
        ) from None
    if not keys:
        raise CallerError("log_keys_missing")
    if len({key.name for key in keys}) > 1:
        raise CallerError("log_keys_differ")
    try:
        return Trust(keys[0].name, keys)
    except ValueError:
        raise CallerError("log_key_malformed") from None
