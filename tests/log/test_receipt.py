"""Receipts: one form, under a key of their own, taken for nothing else."""

import base64
from collections.abc import Callable

import pytest

from casework.log.format import checkpoint, note, receipt
from casework.log.format.note import (
    LogKey,
    LogSigner,
    MalformedNote,
    UnverifiedNote,
)
from casework.log.format.receipt import (
    MalformedReceipt,
    Receipt,
    ReceiptedChange,
    ReceiptSigner,
    Recorded,
    open_receipt,
)
from casework.log.format.tree import Faulty

ORIGIN = "log.example/branch"
SIGNER = LogSigner(f"{ORIGIN}/receipts", b"\x07" * 32)
AT = "2026-03-09T08:20:00.000001Z"
ENTRIES = (Recorded("case:7:3", b"\x01" * 32), Recorded("case:7:4", b"\xfe" * 32))
GOOD = Receipt(ORIGIN, AT, ENTRIES)
LEAF = base64.b64encode(b"\x01" * 32).decode()


def test_the_text_is_exactly_what_the_format_says() -> None:
    other = base64.b64encode(b"\xfe" * 32).decode()
    assert GOOD.text == f"casework/audit/v1/receipt\n{ORIGIN}\n{AT}\ncase:7:3 {LEAF}\ncase:7:4 {other}\n"


def test_a_signed_receipt_opens_with_its_key_and_says_the_same() -> None:
    signed = open_receipt(GOOD.signed(SIGNER), [SIGNER.key])
    assert (signed.receipt, signed.key) == (GOOD, SIGNER.key)


def test_an_entry_of_a_borrower_has_receipts_too() -> None:
    whole = Receipt(ORIGIN, AT, (Recorded("borrower:wuhan~B000731:3", b"\x01" * 32),))
    assert open_receipt(whole.signed(SIGNER), [SIGNER.key]).receipt == whole


def test_the_quick_signer_makes_the_same_bytes_each_time() -> None:
    quick = ReceiptSigner(SIGNER)
    assert quick.sign(ReceiptedChange(AT, ENTRIES)) == quick.sign(ReceiptedChange(AT, ENTRIES)) == GOOD.signed(SIGNER)


def resigned(change: Callable[[str], str]) -> bytes:
    text = change(GOOD.text)
    return f"{text}\n{SIGNER.sign(text).line}".encode()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: text.replace("v1/receipt", "v2/receipt"), "wrong_label"),
        (lambda text: text.replace("casework/", "", 1), "wrong_label"),
        (lambda text: text.replace(f"{ORIGIN}\n", "\n"), "malformed_origin"),
        (lambda text: text.replace(ORIGIN, "x" * 256), "malformed_origin"),
        (lambda text: text.replace(AT, "2026-03-09T08:20:00Z"), "malformed_time"),
        (lambda text: text.replace(AT, "2026-02-30T08:20:00.000001Z"), "malformed_time"),
        (lambda text: text.replace(AT, "2026-03-09T08:20:00.000001+00:00"), "malformed_time"),
        (lambda text: "\n".join(text.split("\n")[:3]) + "\n", "no_entries"),
        (lambda text: "\n".join(text.split("\n")[:2]) + "\n", "malformed_lines"),
        (lambda text: text.replace("case:7:4", "case:7:3"), "doubled_entry"),
        (lambda text: text.replace("case:7:3", "case:7:03"), "malformed_entry_id"),
        (lambda text: text.replace("case:7:3", "case:7:0"), "malformed_entry_id"),
        (lambda text: text.replace("case:7:3", "Case:7:3"), "malformed_entry_id"),
        (lambda text: text.replace("case:7:3", "borrower:a~b~c:3"), "malformed_entry_id"),
        (lambda text: text.replace("case:7:3 ", "case:7:3  "), "malformed_leaf"),
        (lambda text: text.replace(LEAF, LEAF[:-2] + "F="), "malformed_leaf"),
        (lambda text: text.replace(LEAF, LEAF[4:]), "malformed_leaf"),
        (lambda text: text + "case:9:1\n", "malformed_leaf"),
    ],
)  # fmt: skip
def test_a_receipt_has_one_form_also_when_its_own_key_signs_another(change: Callable[[str], str], code: str) -> None:
    data = resigned(change)
    with pytest.raises(MalformedReceipt) as caught:
        open_receipt(data, [SIGNER.key])
    assert caught.value.code == code


@pytest.mark.parametrize(
    "twin",
    [
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: data.replace(b"\n\n", b"\n\n\n"),
        lambda data: data.replace("— ".encode(), b"- "),
        lambda data: data.replace(b"case:7:3", b"case:7:5"),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data + data.split(b"\n\n")[1],
        lambda data: data[:0],
    ],
)  # fmt: skip
def test_a_note_that_was_touched_is_refused(twin: Callable[[bytes], bytes]) -> None:
    data = GOOD.signed(SIGNER)
    assert twin(data) != data
    with pytest.raises((MalformedNote, UnverifiedNote, MalformedReceipt)):
        open_receipt(twin(data), [SIGNER.key])


def test_a_receipt_of_another_key_is_not_believed() -> None:
    other = LogSigner(SIGNER.name, b"\x08" * 32)
    for keys in ([], [other.key], [LogSigner(ORIGIN, b"\x07" * 32).key]):
        with pytest.raises(UnverifiedNote):
            open_receipt(GOOD.signed(SIGNER), keys)


def test_the_logs_own_key_signs_no_receipts() -> None:
    with pytest.raises(MalformedReceipt):
        GOOD.signed(LogSigner(ORIGIN, b"\x07" * 32))
    with pytest.raises(MalformedReceipt):
        ReceiptSigner(LogSigner(ORIGIN, b"\x07" * 32))


@pytest.mark.parametrize("origin", [ORIGIN, "12", "0"])
def test_a_receipt_is_no_checkpoint_whatever_the_log_is_called(origin: str) -> None:
    with pytest.raises(Faulty):
        checkpoint.parse(GOOD._replace(origin=origin).text)


def test_a_checkpoint_is_no_receipt() -> None:
    with pytest.raises(MalformedReceipt):
        receipt.parse_text(checkpoint.Checkpoint(ORIGIN, 5, b"\x01" * 32).text)


def test_its_key_is_a_plain_verifier_key() -> None:
    assert LogKey.parse(SIGNER.key.text) == SIGNER.key
    assert note.parse(GOOD.signed(SIGNER)).signatures[0].name == f"{ORIGIN}/receipts"
