"""Checkpoints and cosignatures: real ones of other logs and witnesses, one form each, and whose word counts."""

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.log.format import checkpoint as checkpoint_module
from casework.log.format.checkpoint import (
    MAX_TIME,
    Checkpoint,
    Cosigned,
    Cosigner,
    MalformedCheckpoint,
    Trust,
    WitnessKey,
    cosigned_at,
)
from casework.log.format.note import (
    LogKey,
    LogSigner,
    MalformedKey,
    MalformedNote,
    Signature,
    SignedNote,
    UnverifiedNote,
    parse,
)
from casework.log.format.tree import EMPTY_ROOT, MAX_SIZE

# A checkpoint of a Certificate Transparency log with signatures of two kinds by the log and four witnesses'.
REAL = """arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
"""  # noqa: E501  # a note's lines are as long as they are
REAL_LOG = LogKey.parse("arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f")
REAL_WITNESS = WitnessKey.parse("remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2")
REAL_ROOT = base64.b64decode("U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=")
# The example of C2SP tlog-cosignature; its keys are not published.
EXAMPLE_LINE = (
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA=="
)
EXAMPLE_MESSAGE = """cosignature/v1
time 1679315147
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
"""

LOG = LogSigner("log.example/branch", b"\x01" * 32)
NEXT_LOG = LogSigner("log.example/branch", b"\x02" * 32)
WITNESS = Cosigner("audit.example/w1", b"\x03" * 32)
POINT = Checkpoint("log.example/branch", 300, b"\x05" * 32)
DATA = POINT.signed(LOG)
TRUST = Trust(POINT.origin, (LOG.key,), (WITNESS.key,))


def with_lines(data: bytes, *signatures: Signature) -> bytes:
    return parse(data).signed_also(*signatures).encode()


COSIGNED = with_lines(DATA, WITNESS.cosign(POINT, 1_790_000_000))


# --- what others have published


def test_a_real_checkpoint_is_opened_with_its_log_s_key_and_a_witness_s_time() -> None:
    """Its other signatures, one of them of the log by another kind of key, are ignored."""
    opened = Trust(REAL_LOG.name, (REAL_LOG,), (REAL_WITNESS,)).open(REAL.encode())
    assert opened.checkpoint == Checkpoint("arche2025h1.staging.ct.transparency.dev", 1_432_088_532, REAL_ROOT)
    assert opened.checkpoint.text == REAL.partition("\n\n")[0] + "\n"
    assert (opened.log_keys, opened.cosigned) == ((REAL_LOG,), (Cosigned(REAL_WITNESS, 1_779_573_024),))
    assert opened.data == parse(REAL.encode()).encode() == REAL.encode()


def test_the_cosigned_message_and_time_are_those_of_the_format_s_example() -> None:
    text = EXAMPLE_MESSAGE.partition("time 1679315147\n")[2]
    assert checkpoint_module._cosigned_message(text, 1_679_315_147).decode() == EXAMPLE_MESSAGE
    assert cosigned_at(base64.b64decode(EXAMPLE_LINE)[4:]) == 1_679_315_147
    assert checkpoint_module.parse(text).size == 20_852_163


def test_the_checkpoint_is_exactly_three_lines_and_one_signature_line() -> None:
    """As docs/log.md §4 has it."""
    line = LOG.sign(POINT.text).line
    root = base64.b64encode(POINT.root).decode()
    assert DATA.decode() == f"log.example/branch\n300\n{root}\n\n{line}"
    assert checkpoint_module.parse(POINT.text) == POINT


# --- one form

ROOT_TEXT = base64.b64encode(b"\x05" * 32).decode()
EMPTY_TEXT = base64.b64encode(EMPTY_ROOT).decode()
GOOD = f"log.example/branch\n300\n{ROOT_TEXT}\n"
TWINS: list[tuple[str, str, str]] = [
    ("nothing", "", "malformed_lines"),
    ("an empty line", "\n", "malformed_lines"),
    ("two lines", "log.example/branch\n300\n", "malformed_lines"),
    ("no line's end", GOOD[:-1], "malformed_lines"),
    ("no line's end after an extension", f"{GOOD}extension", "malformed_lines"),
    ("no origin", f"\n300\n{ROOT_TEXT}\n", "malformed_lines"),
    ("an empty line in front", f"\n{GOOD}", "malformed_lines"),
    ("an empty line behind", f"{GOOD}\n", "malformed_lines"),
    ("an empty line between", GOOD.replace("\n300", "\n\n300"), "malformed_lines"),
    ("an empty line before an extension", f"{GOOD}\nextension\n", "malformed_lines"),
    ("an origin of 256 bytes", GOOD.replace("log.example/branch", "部" * 85 + "x"), "malformed_origin"),
    ("no size", GOOD.replace("300", ""), "malformed_lines"),
    ("a nought in front", GOOD.replace("300", "0300"), "malformed_size"),
    ("two noughts", f"log.example/branch\n00\n{EMPTY_TEXT}\n", "malformed_size"),
    ("a plus", GOOD.replace("300", "+300"), "malformed_size"),
    ("a negative size", GOOD.replace("300", "-300"), "malformed_size"),
    ("a space in front", GOOD.replace("300", " 300"), "malformed_size"),
    ("a space behind", GOOD.replace("300", "300 "), "malformed_size"),
    ("a carriage return", GOOD.replace("300", "300\r"), "malformed_size"),
    ("hexadecimal", GOOD.replace("300", "0x12c"), "malformed_size"),
    ("a fraction", GOOD.replace("300", "300.0"), "malformed_size"),
    ("grouped digits", GOOD.replace("300", "3_00"), "malformed_size"),
    ("full-width digits", GOOD.replace("300", "３００"), "malformed_size"),
    ("a size beyond 2^53", GOOD.replace("300", str(MAX_SIZE + 1)), "malformed_size"),
    ("an endless size", GOOD.replace("300", "3" * 5_000), "malformed_size"),
    ("a root in hexadecimal", GOOD.replace(ROOT_TEXT, "05" * 32), "malformed_root"),
    ("a short root", GOOD.replace(ROOT_TEXT, base64.b64encode(b"\x05" * 31).decode()), "malformed_root"),
    ("a long root", GOOD.replace(ROOT_TEXT, base64.b64encode(b"\x05" * 33).decode()), "malformed_root"),
    ("a root without padding", GOOD.replace("=", ""), "malformed_root"),
    ("a set slack bit", GOOD.replace("U=", "V="), "malformed_root"),
    ("a space behind the root", GOOD.replace("=", "= "), "malformed_root"),
    ("an empty log with a root", GOOD.replace("300", "0"), "malformed_root"),
    ("lines parted otherwise", GOOD.replace("\n", "\u2028"), "malformed_lines"),
    ("lines parted by next-line", GOOD.replace("\n", "\u0085", 1), "malformed_lines"),
]


@pytest.mark.parametrize(("text", "code"), [twin[1:] for twin in TWINS], ids=[twin[0] for twin in TWINS])
def test_a_checkpoint_in_any_other_form_is_refused(text: str, code: str) -> None:
    assert checkpoint_module.parse(GOOD) == POINT
    with pytest.raises(MalformedCheckpoint) as caught:
        checkpoint_module.parse(text)
    assert caught.value.code == code


def test_empty_logs_the_largest_ones_and_extension_lines_are_read() -> None:
    for point in (
        Checkpoint("o", 0, EMPTY_ROOT),
        Checkpoint("origin + spaces 分行", MAX_SIZE, b"\xff" * 32),
        Checkpoint("o" * 255, 1, b"\x00" * 32, ("an extension", "another")),
    ):
        assert checkpoint_module.parse(point.text) == point
        assert Trust(point.origin, (LOG.key,)).open(point.signed(LOG)).checkpoint == point


@pytest.mark.parametrize(
    "point",
    [
        POINT._replace(origin=""), POINT._replace(origin="a\nb"), POINT._replace(origin="o" * 256),
        POINT._replace(size=-1), POINT._replace(size=MAX_SIZE + 1), POINT._replace(size=0),
        POINT._replace(root=b"\x05" * 31), POINT._replace(extensions=("",)), POINT._replace(extensions=("a\nb",)),
    ],
)  # fmt: skip
def test_what_could_not_be_read_again_is_not_signed(point: Checkpoint) -> None:
    with pytest.raises(MalformedCheckpoint):
        point.signed(LOG)


lines = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=60)
roots = st.binary(min_size=32, max_size=32)
points = st.builds(Checkpoint, lines, st.integers(1, MAX_SIZE), roots, st.lists(lines, max_size=2).map(tuple))


@given(points, st.integers(0, MAX_TIME))
def test_checkpoints_signed_and_cosigned_read_back(point: Checkpoint, at: int) -> None:
    data = with_lines(point.signed(LOG), WITNESS.cosign(point, at))
    opened = Trust(point.origin, (LOG.key,), (WITNESS.key,)).open(data)
    assert opened == (point, (LOG.key,), (Cosigned(WITNESS.key, at),), data)


@given(st.text("log.\n0123+/=A", max_size=70))
def test_a_text_that_is_read_as_a_checkpoint_is_its_text(text: str) -> None:
    try:
        point = checkpoint_module.parse(text)
    except MalformedCheckpoint:
        return
    assert point.text == text


# --- whose word counts


def test_a_checkpoint_of_another_log_is_refused_even_with_the_trusted_key() -> None:
    """Attack 15."""
    with pytest.raises(MalformedCheckpoint) as caught:
        TRUST.open(POINT._replace(origin="log.example/other").signed(LOG))
    assert caught.value.code == "other_origin"


def test_a_checkpoint_signed_by_another_key_is_refused() -> None:
    """Attack 9: also when the key goes by the log's name, and when only witnesses have signed."""
    impostor = POINT.signed(LogSigner(LOG.name, b"\x09" * 32))
    witnessed = SignedNote(POINT.text, (WITNESS.cosign(POINT, 1),)).encode()
    for data in (impostor, witnessed):
        with pytest.raises(UnverifiedNote) as caught:
            TRUST.open(data)
        assert caught.value.code == "no_known_signature"


def test_while_a_key_is_replaced_either_signature_opens_and_a_wrong_one_of_either_closes() -> None:
    both = POINT.signed(LOG, NEXT_LOG)
    assert Trust(POINT.origin, (LOG.key,)).open(both).log_keys == (LOG.key,)
    assert Trust(POINT.origin, (NEXT_LOG.key,)).open(both).log_keys == (NEXT_LOG.key,)
    overlap = Trust(POINT.origin, (NEXT_LOG.key, LOG.key))
    assert overlap.open(both).log_keys == (LOG.key, NEXT_LOG.key)
    wrong = with_lines(both, NEXT_LOG.sign(POINT.text)._replace(blob=bytes(64)))
    with pytest.raises(UnverifiedNote) as caught:
        overlap.open(wrong)
    assert caught.value.code == "signature_wrong"


def test_the_text_of_a_checkpoint_cannot_be_changed_under_its_signatures() -> None:
    for changed in (POINT._replace(size=301), POINT._replace(root=b"\x06" * 32), POINT._replace(extensions=("x",))):
        with pytest.raises(UnverifiedNote) as caught:
            TRUST.open(SignedNote(changed.text, parse(COSIGNED).signatures).encode())
        assert caught.value.code == "signature_wrong"


def test_a_witness_s_key_signs_no_checkpoint_for_the_log_and_the_log_s_key_gives_no_time() -> None:
    """One private key under one name makes two keys of different kinds; neither's signature passes for the other's."""
    as_witness = Cosigner(LOG.name, LOG.seed)
    assert as_witness.key.key_id != LOG.key.key_id
    blob = as_witness.cosign(POINT, 1_790_000_000).blob
    assert not LOG.key.signed(POINT.text, blob)
    assert not LOG.key.signed(POINT.text, blob[8:])
    assert not as_witness.key.signed(POINT.text, LOG.sign(POINT.text).blob)
    assert not as_witness.key.signed(POINT.text, blob[:8] + LOG.sign(POINT.text).blob)


def test_the_time_of_a_cosignature_cannot_be_changed() -> None:
    one = WITNESS.cosign(POINT, 1_790_000_000)
    for blob in (
        (1_790_000_001).to_bytes(8, "big") + one.blob[8:],
        (1_790_000_000 + 2**63).to_bytes(8, "big") + one.blob[8:],
        one.blob[:-1],
        one.blob + b"\x00",
        one.blob[8:],
        b"\x01",
    ):
        assert not WITNESS.key.signed(POINT.text, blob)
        with pytest.raises(UnverifiedNote):
            TRUST.open(with_lines(DATA, one._replace(blob=blob)))


def test_a_time_beyond_the_format_is_refused_even_when_rightly_signed() -> None:
    at = MAX_TIME + 1
    blob = at.to_bytes(8, "big") + WITNESS.ed25519(checkpoint_module._cosigned_message(POINT.text, at))
    assert not WITNESS.key.signed(POINT.text, blob)
    for wrong in (-1, at):
        with pytest.raises(ValueError, match="no such time"):
            WITNESS.cosign(POINT, wrong)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Trust(POINT.origin, ()),
        lambda: Trust(POINT.origin, (LOG.key, LOG.key)),
        lambda: Trust(POINT.origin, (LOG.key,), (WITNESS.key, WITNESS.key)),
        lambda: Trust(POINT.origin, (LOG.key,), (Cosigner("audit.example/w2", LOG.seed).key,)),
    ],
    ids=["no log key", "one log key twice", "one witness twice", "the log as its own witness"],
)
def test_a_trust_that_would_deceive_its_holder_is_refused(make: Callable[[], Trust]) -> None:
    with pytest.raises(ValueError, match=r"key"):
        make()


def test_keys_of_witnesses_are_read_and_written_as_others_do() -> None:
    assert REAL_WITNESS.text == "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
    assert Cosigner.parse(WITNESS.secret_text) == WITNESS
    assert WITNESS.secret_text.startswith("PRIVATE+KEY+audit.example/w1+")
    for parse_key, text in ((WitnessKey.parse, LOG.key.text), (Cosigner.parse, LOG.secret_text)):
        with pytest.raises(MalformedKey) as caught:
            parse_key(text)
        assert caught.value.code == "wrong_key_kind"


# --- any bit


def test_no_flipped_bit_leaves_a_checkpoint_saying_what_was_not_signed() -> None:
    """In the log's part every bit is found; in a witness's line too, or the line is no longer that witness's."""
    whole, log_part = TRUST.open(COSIGNED), len(DATA)
    for bit in range(len(COSIGNED) * 8):
        changed = bytearray(COSIGNED)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            opened = TRUST.open(bytes(changed))
        except (MalformedNote, MalformedCheckpoint, UnverifiedNote):
            continue
        assert bit // 8 >= log_part
        assert (opened.checkpoint, opened.log_keys, opened.cosigned) == (whole.checkpoint, whole.log_keys, ())
