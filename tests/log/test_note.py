"""Signed notes and keys: the notes that other programs publish, and one accepted form for each."""

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.log.format.note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    LogKey,
    LogSigner,
    MalformedKey,
    MalformedNote,
    Signature,
    SignedNote,
    UnverifiedNote,
    from_base64,
    from_decimal,
    parse,
    to_base64,
    verified,
)

# The example of golang.org/x/mod/sumdb/note, its private key included; Ed25519 makes the same signature each time.
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_KEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
# The example of C2SP signed-note, and a tree head of the Go checksum database.
C2SP_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
SUMDB_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
SUMDB_NOTE = (
    "go.sum database tree\n6476701\nmb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wk=\n\n"
    "— sum.golang.org Az3grsLX85Gz+s1SiTbgkuqxgItqFq7gsMUEyVnrsa9LM7Us9S+1xbFIGu95949rj4nPRYfvimWEPWL+o3GeoWwOoAw=\n"
)
PETER, ENOCH = LogKey.parse(GO_KEY), LogKey.parse(ENOCH_KEY)
GO_NOTE = f"{GO_TEXT}\n{GO_LINE}"
SIGNER = LogSigner("log.example/branch", bytes(range(32)))


# --- what others have published


@pytest.mark.parametrize(("key", "note"), [(GO_KEY, GO_NOTE), (C2SP_KEY, C2SP_NOTE), (SUMDB_KEY, SUMDB_NOTE)])
def test_published_notes_are_read_written_and_verified(key: str, note: str) -> None:
    read = parse(note.encode())
    assert read.encode() == note.encode()
    assert verified(read, [LogKey.parse(key)]) == [(LogKey.parse(key), read.signatures[0])]


def test_a_published_key_signs_as_published() -> None:
    signer = LogSigner.parse(GO_SECRET)
    assert signer.secret_text == GO_SECRET
    assert signer.key.text == GO_KEY
    assert SignedNote(GO_TEXT, (signer.sign(GO_TEXT),)).encode() == GO_NOTE.encode()


@pytest.mark.parametrize(
    "text", [GO_KEY, ENOCH_KEY, C2SP_KEY, SUMDB_KEY, "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6"]
)
def test_published_keys_are_read_and_written(text: str) -> None:
    """The last of transparency-dev/formats: its base64 holds a plus, which also parts the fields."""
    assert LogKey.parse(text).text == text


# --- who has signed


def test_signatures_of_unknown_keys_are_ignored_and_those_of_known_ones_found() -> None:
    both = parse(f"{GO_NOTE}{ENOCH_LINE}".encode())
    assert [key for key, _ in verified(both, [PETER])] == [PETER]
    assert [key for key, _ in verified(both, [ENOCH])] == [ENOCH]
    assert [key for key, _ in verified(both, [ENOCH, PETER])] == [PETER, ENOCH]
    strangers = [
        LogKey("PeterNeumann", ENOCH.public),
        LogKey("EnochRoot", PETER.public),
    ]  # the name alone is not the key
    for keys in ([], [SIGNER.key], strangers):
        with pytest.raises(UnverifiedNote) as caught:
            verified(both, keys)
        assert caught.value.code == "no_known_signature"


def test_a_wrong_signature_of_a_known_key_refuses_the_whole_note() -> None:
    note = parse(f"{GO_NOTE}{ENOCH_LINE}".encode())
    wrong = note._replace(signatures=(note.signatures[0], note.signatures[1]._replace(blob=b"\x00" * 64)))
    assert verified(wrong, [PETER])
    with pytest.raises(UnverifiedNote) as caught:
        verified(wrong, [PETER, ENOCH])
    assert caught.value.code == "signature_wrong"


@pytest.mark.parametrize("length", [1, 63, 65, 72])
def test_a_signature_of_another_length_is_wrong(length: int) -> None:
    note = parse(GO_NOTE.encode())
    blob = (note.signatures[0].blob + bytes(64))[:length]
    with pytest.raises(UnverifiedNote):
        verified(note._replace(signatures=(note.signatures[0]._replace(blob=blob),)), [PETER])


def test_keys_that_cannot_be_told_apart_are_the_caller_s_bug() -> None:
    with pytest.raises(ValueError, match="two keys"):
        verified(parse(GO_NOTE.encode()), [PETER, PETER])


def test_a_new_signature_takes_the_place_of_the_same_key_s() -> None:
    first = SignedNote("text\n", (Signature(SIGNER.name, SIGNER.key.key_id, b"old"),)).signed_also(
        SIGNER.sign("text\n")
    )
    assert first.signatures == (SIGNER.sign("text\n"),)
    other = LogSigner("log.example/branch", b"\x07" * 32)  # the next key of the same log
    assert first.signed_also(other.sign("text\n")).signatures == (SIGNER.sign("text\n"), other.sign("text\n"))


# --- one form


LINE_BYTES = base64.b64decode(GO_LINE.split()[2])


def line_with(name: str = "PeterNeumann", value: bytes = LINE_BYTES, encoded: str | None = None) -> str:
    return f"— {name} {encoded or to_base64(value)}\n"


NAMELESS = f"{GO_TEXT}\n"
SLACK = GO_LINE.split()[2][:-2]  # ends "…JnA", then "M="; "N=" is of the same bytes and has a set slack bit
NOTE_TWINS: list[tuple[str, str | bytes, str]] = [
    ("nothing", "", "no_signatures"),
    ("the text alone", GO_TEXT, "no_signatures"),
    ("no signature", f"{GO_TEXT}\n", "no_signatures"),
    ("no empty line", f"{GO_TEXT}{GO_LINE}", "no_signatures"),
    ("no text and no empty line", GO_LINE, "no_signatures"),
    ("no line's end", GO_NOTE[:-1], "no_signatures"),
    ("an empty line behind", f"{GO_NOTE}\n", "no_signatures"),
    ("two empty lines behind", f"{GO_NOTE}\n\n", "no_signatures"),
    ("an empty line between signatures", f"{GO_NOTE}\n{ENOCH_LINE}\n", "no_signatures"),
    ("another line behind", f"{GO_NOTE}Unexpected line.\n", "malformed_signature"),
    ("a line's end of Windows", GO_NOTE.replace("\n", "\r\n"), "control_character"),
    ("a carriage return at the end", f"{GO_NOTE[:-1]}\r\n", "control_character"),
    ("a nought in the text", f"\x00{GO_NOTE}", "control_character"),
    ("a tab in the text", f"\t{GO_NOTE}", "control_character"),
    ("a vertical tab", f"{GO_TEXT}\x0b\n{GO_LINE}", "control_character"),
    ("an escape", f"\x1b[2J{GO_NOTE}", "control_character"),
    ("the last control character", f"\x1f{GO_NOTE}", "control_character"),
    ("a tab before the signature", GO_NOTE.replace("Neumann ", "Neumann\t"), "control_character"),
    ("a byte that is no text", b"\xff" + GO_NOTE.encode(), "not_utf8"),
    ("an overlong character", b"\xc0\x80" + GO_NOTE.encode(), "not_utf8"),
    ("half a surrogate pair", b"\xed\xa0\x80" + GO_NOTE.encode(), "not_utf8"),
    ("a cut character", GO_NOTE.encode()[:-1] + b"\xe2\x80", "not_utf8"),
    ("one signature twice", f"{GO_NOTE}{GO_LINE}", "doubled_signature"),
    ("two signatures of one key", f"{GO_NOTE}{line_with(value=LINE_BYTES[:4] + bytes(64))}", "doubled_signature"),
    ("an unknown signature twice", f"{GO_NOTE}{ENOCH_LINE}{ENOCH_LINE}", "doubled_signature"),
    ("101 signatures", GO_NOTE + "".join(line_with(f"n{number}") for number in range(100)), "too_many_signatures"),
    ("a note too long", "x" * MAX_NOTE_BYTES + f"\n{GO_NOTE}", "note_size"),
    ("signatures parted by another line's end", f"{GO_NOTE[:-1]}\u2028{ENOCH_LINE}", "malformed_signature"),
    ("a hyphen for the dash", GO_NOTE.replace("— ", "- "), "malformed_signature"),
    ("an en dash", GO_NOTE.replace("—", "–"), "malformed_signature"),
    ("no space after the dash", GO_NOTE.replace("— ", "—"), "malformed_signature"),
    ("two spaces after the dash", GO_NOTE.replace("— ", "—  "), "malformed_signature"),
    ("a space in front", f"{GO_TEXT}\n {GO_LINE}", "malformed_signature"),
    ("two dashes", f"{GO_TEXT}\n— {GO_LINE}", "malformed_signature"),
    ("no name", f"{GO_TEXT}\n— {GO_LINE.split()[2]}\n", "malformed_signature"),
    ("an empty name", f"{GO_TEXT}\n{line_with('')}", "malformed_signature"),
    ("a name of two words", f"{GO_TEXT}\n{line_with('Bad Name')}", "malformed_signature"),
    ("a plus in the name", f"{GO_TEXT}\n{line_with('Bad+Name')}", "malformed_signature"),
    ("an unbreakable space in the name", NAMELESS + line_with("Bad\u00a0Name"), "malformed_signature"),
    ("a line separator in the name", NAMELESS + line_with("Bad\u2028Name"), "malformed_signature"),
    ("a next-line in the name", NAMELESS + line_with("Bad\u0085Name"), "malformed_signature"),
    ("an ideographic space in the name", NAMELESS + line_with("坏\u3000名"), "malformed_signature"),
    ("a name alone", f"{GO_TEXT}\n— PeterNeumann\n", "malformed_signature"),
    ("a name and a space", f"{GO_TEXT}\n— PeterNeumann \n", "malformed_signature"),
    ("a space behind", GO_NOTE.replace("=\n", "= \n"), "malformed_signature"),
    ("two spaces before the signature", GO_NOTE.replace("Neumann ", "Neumann  "), "malformed_signature"),
    ("a third field", GO_NOTE.replace("=\n", "= ABCD\n"), "malformed_signature"),
    ("a key id alone", f"{GO_TEXT}\n{line_with(value=LINE_BYTES[:4])}", "malformed_signature"),
    ("three bytes", f"{GO_TEXT}\n{line_with(value=LINE_BYTES[:3])}", "malformed_signature"),
    ("no padding", GO_NOTE.replace("=\n", "\n"), "malformed_signature"),
    ("more padding", GO_NOTE.replace("=\n", "==\n"), "malformed_signature"),
    ("a set slack bit", f"{GO_TEXT}\n{line_with(encoded=f'{SLACK}N=')}", "malformed_signature"),
    ("both slack bits set", f"{GO_TEXT}\n{line_with(encoded=f'{SLACK}P=')}", "malformed_signature"),
    ("the other alphabet", GO_NOTE.replace("/", "_"), "malformed_signature"),
    ("a foreign character", GO_NOTE.replace("x08go", "x08g*"), "malformed_signature"),
    ("a character beyond ASCII", GO_NOTE.replace("x08go", "x08gо"), "malformed_signature"),
    ("padding in the middle", f"{GO_TEXT}\n{line_with(encoded='QUJD=' + GO_LINE.split()[2])}", "malformed_signature"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "code"), [twin[1:] for twin in NOTE_TWINS], ids=[twin[0] for twin in NOTE_TWINS])
def test_a_note_in_any_other_form_is_refused(data: str | bytes, code: str) -> None:
    parse(GO_NOTE.encode())
    with pytest.raises(MalformedNote) as caught:
        parse(data if isinstance(data, bytes) else data.encode())
    assert caught.value.code == code


def test_the_slack_twins_are_what_a_lax_reader_takes_for_the_same_bytes() -> None:
    assert base64.b64decode(f"{SLACK}N=") == base64.b64decode(f"{SLACK}P=") == LINE_BYTES
    assert f"{SLACK}M=" == GO_LINE.split()[2]


def test_a_note_may_hold_empty_lines_other_scripts_and_as_many_signatures_as_the_format_asks_for() -> None:
    text = "\n第一行\n\n\u0085\u2028\x7f…\n"
    signers = [LogSigner(f"signer/{number}", bytes([number]) * 32) for number in range(MAX_SIGNATURES)]
    note = SignedNote(text, tuple(signer.sign(text) for signer in signers))
    assert parse(note.encode()) == note
    assert len(verified(note, [signer.key for signer in signers])) == MAX_SIGNATURES
    large = SignedNote(
        "text\n", tuple(Signature(f"pq/{number}", b"\x00\x00\x00\x06", bytes(5_000)) for number in range(16))
    )
    assert parse(large.encode()) == large


def test_an_empty_line_more_before_the_signatures_is_another_text() -> None:
    with pytest.raises(UnverifiedNote):
        verified(parse(GO_NOTE.replace("\n\n", "\n\n\n").encode()), [PETER])


def test_every_flipped_bit_of_a_note_is_found() -> None:
    """Each bit of it, one after the other."""
    data = GO_NOTE.encode()
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((MalformedNote, UnverifiedNote)):
            verified(parse(bytes(changed)), [PETER])


@given(st.data())
def test_any_bytes_put_in_taken_out_or_exchanged_are_found(data: st.DataObject) -> None:
    note = GO_NOTE.encode()
    begin, end = sorted(data.draw(st.lists(st.integers(0, len(note)), min_size=2, max_size=2)))
    changed = note[:begin] + data.draw(st.binary(max_size=5)) + note[end:]
    if changed == note:
        return
    with pytest.raises((MalformedNote, UnverifiedNote)):
        verified(parse(changed), [PETER])


@given(st.binary(max_size=60), st.sampled_from([b"", b"t\n\n\xe2\x80\x94 n "]))
def test_bytes_that_are_read_as_a_note_are_that_note(data: bytes, head: bytes) -> None:
    try:
        note = parse(head + data)
    except MalformedNote:
        return
    assert note.encode() == head + data


names = st.text(min_size=1, max_size=20).filter(
    lambda name: "+" not in name and not any(character.isspace() or character < " " for character in name)
)
lines = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=30).map(lambda line: f"{line}\n")


@given(st.lists(lines, min_size=1, max_size=5).map("".join), st.lists(names, min_size=1, max_size=4, unique=True))
def test_notes_signed_by_anybody_read_back_and_verify(text: str, signing: list[str]) -> None:
    signers = [LogSigner(name, bytes([number]) * 32) for number, name in enumerate(signing)]
    note = SignedNote(text, tuple(signer.sign(text) for signer in signers))
    assert parse(note.encode()) == note
    assert len(verified(note, [signer.key for signer in signers])) == len(signers)


@pytest.mark.parametrize(
    "note",
    [
        SignedNote("no line's end", (SIGNER.sign("no line's end"),)),
        SignedNote("", (SIGNER.sign(""),)),
        SignedNote("text\n", ()),
        SignedNote("tab\t\n", (SIGNER.sign("tab\t\n"),)),
        SignedNote("text\n", (SIGNER.sign("text\n")._replace(name="a b"),)),
        SignedNote("text\n", (SIGNER.sign("text\n")._replace(key_id=b"\x00"),)),
        SignedNote("text\n", (SIGNER.sign("text\n"), SIGNER.sign("text\n"))),
    ],
)
def test_what_could_not_be_read_again_is_not_written(note: SignedNote) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # MalformedNote where the parser says why, else "not a note"
        note.encode()


# --- keys


KEY_TWINS: list[tuple[str, str, str]] = [
    ("nothing", "", "malformed_key"),
    ("a name alone", "PeterNeumann", "malformed_key"),
    ("no key", "PeterNeumann+c74f20a3", "malformed_key"),
    ("an empty key", "PeterNeumann+c74f20a3+", "malformed_key"),
    ("no name", GO_KEY.removeprefix("PeterNeumann"), "malformed_name"),
    ("a space in the name", GO_KEY.replace("Peter", "Peter "), "malformed_name"),
    ("a line's end in the name", GO_KEY.replace("Peter", "Peter\n"), "malformed_name"),
    ("a control character in the name", GO_KEY.replace("Peter", "Peter\x00"), "malformed_name"),
    ("half a surrogate pair in the name", GO_KEY.replace("Peter", "Peter\ud800"), "malformed_name"),
    ("another name", GO_KEY.replace("Peter", "Paul"), "wrong_key_id"),
    ("another key id", GO_KEY.replace("c74f20a3", "c74f20a4"), "wrong_key_id"),
    ("an upper-case key id", GO_KEY.replace("c74f20a3", "C74F20A3"), "wrong_key_id"),
    ("a short key id", GO_KEY.replace("c74f20a3", "c74f20a"), "wrong_key_id"),
    ("a key id with a nought in front", GO_KEY.replace("c74f20a3", "0c74f20a3"), "wrong_key_id"),
    ("a line's end behind", f"{GO_KEY}\n", "malformed_key"),
    ("a space in front", f" {GO_KEY}", "malformed_name"),
    ("a set slack bit in the length of another key", "PeterNeumann+c74f20a3+ARpc2QcUPDhM=", "malformed_key"),
    ("a key too long", "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWWBADKEY=", "malformed_key"),
    ("another kind", "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "wrong_key_kind"),
    ("a witness's key", "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2", "wrong_key_kind"),
    ("a private key", GO_SECRET, "malformed_key"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code"), [twin[1:] for twin in KEY_TWINS], ids=[twin[0] for twin in KEY_TWINS])
def test_a_verifier_key_in_any_other_form_is_refused(text: str, code: str) -> None:
    with pytest.raises(MalformedKey) as caught:
        LogKey.parse(text)
    assert caught.value.code == code


@pytest.mark.parametrize(("parse_key", "text"), [(LogKey.parse, GO_KEY), (LogSigner.parse, GO_SECRET)])
def test_any_part_of_a_key_and_any_changed_character_is_refused(parse_key: Callable[[str], object], text: str) -> None:
    parse_key(text)
    twins = {text[begin:end] for begin in range(len(text)) for end in range(begin, len(text) + 1)} - {text}
    twins |= {text[:at] + chr(ord(text[at]) + step) + text[at + 1 :] for at in range(len(text)) for step in (1, -1)}
    for twin in twins:
        with pytest.raises(MalformedKey) as caught:
            parse_key(twin)
        assert caught.value.code in {"malformed_key", "malformed_name", "wrong_key_id", "wrong_key_kind"}


def test_a_key_s_id_depends_on_name_kind_and_key() -> None:
    """And a private key shows itself neither in its repr nor in what is raised."""
    assert SIGNER.key.key_id != LogSigner("log.example/branch2", SIGNER.seed).key.key_id
    assert SIGNER.key.key_id != LogSigner(SIGNER.name, b"\x07" * 32).key.key_id
    assert repr(SIGNER.seed)[2:-1] not in repr(SIGNER)
    assert "seed" not in repr(SIGNER)
    with pytest.raises(MalformedKey) as caught:
        LogSigner.parse(GO_SECRET[:-1] + "A")
    assert GO_SECRET[-20:-1] not in repr(caught.value)


@pytest.mark.parametrize("make", [lambda: LogKey("name", b"\x00" * 31), lambda: LogSigner("name", b"\x00" * 33)])
def test_a_key_has_32_bytes(make: Callable[[], object]) -> None:
    with pytest.raises(MalformedKey):
        make()


def test_bytes_that_are_no_point_of_the_curve_sign_nothing() -> None:
    broken = LogKey("PeterNeumann", b"\xff" * 32)
    assert not broken.signed(GO_TEXT, LINE_BYTES[4:])


# --- texts that have one form


@given(st.binary(max_size=40))
def test_base64_reads_back(value: bytes) -> None:
    assert from_base64(to_base64(value)) == value


@given(st.text("ABab09+/=-_ \n", max_size=9))
def test_a_text_read_as_base64_is_the_base64_of_what_it_gives(text: str) -> None:
    try:
        value = from_base64(text)
    except ValueError:
        return
    assert to_base64(value) == text


@given(st.integers(0, 2**53))
def test_numbers_read_back(number: int) -> None:
    assert from_decimal(str(number), 2**53) == number


@pytest.mark.parametrize(
    "text",
    ["", "00", "01", "-0", "-1", "+1", " 1", "1 ", "1\n", "1_0", "1.0", "1e1", "0x1", "１", "١", "9007199254740993",
     "99999999999999999999", "1" * 5_000],
)  # fmt: skip
def test_a_number_in_any_other_form_or_too_large_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        from_decimal(text, 2**53)
