"""Signed notes and their Ed25519 keys (C2SP signed-note v1; golang.org/x/mod/sumdb/note), docs/log.md §4. Pure.

A note is a text, an empty line and signature lines. Whoever holds one note must not be able to make a second
that reads the same and is still accepted: the parser takes each note in exactly one form. It is stricter than
Go's in one thing, that a key signs once: a second line of one key, known or not, is refused, not skipped.

What the format leaves open stays open: a text may hold any character but ASCII control characters, so whoever
shows one on a terminal escapes it first.
"""

import base64
import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, Self, TypeVar

from casework.log.format.tree import Faulty

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MAX_NOTE_BYTES: Final = 262_144  # the format asks for room for 16 signatures of up to 5 kB
MAX_SIGNATURES: Final = 100
KEY_ID_BYTES: Final = 4
PUBLIC_KEY_BYTES: Final = 32
SEED_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_DASH: Final = "— "
_PRIVATE: Final = "PRIVATE+KEY+"
_has_control = re.compile(r"[\x00-\x09\x0b-\x1f]").search
_is_decimal = re.compile(r"0|[1-9][0-9]{0,18}").fullmatch


class MalformedNote(Faulty):
    """Bytes that are no signed note.

    `code` is one of note_size, not_utf8, control_character, no_signatures, malformed_signature,
    doubled_signature, too_many_signatures.
    """


class UnverifiedNote(Faulty):
    """A note that nobody known has signed (no_known_signature), or not rightly (signature_wrong)."""


class MalformedKey(Faulty):
    """A text that is no key of the wanted kind: malformed_key, malformed_name, wrong_key_id, wrong_key_kind."""


class Signature(NamedTuple):
    """One signature line: whose (name and key id, 4 bytes), and the bytes that only its kind of key understands."""

    name: str
    key_id: bytes
    blob: bytes

    @property
    def line(self) -> str:
        """`— <name> <base64(key id ‖ blob)>` and the line's end."""
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.blob)}\n"


class SignedNote(NamedTuple):
    """A text, which ends with a line's end, and who says to have signed it; nothing of it is verified yet."""

    text: str
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        """The bytes of the note. ValueError when they would not be a note (`parse` says why)."""
        data = "".join([self.text, "\n", *(signature.line for signature in self.signatures)]).encode()
        if parse(data) != self:
            raise ValueError("not a note")
        return data

    def signed_also(self, *signatures: Signature) -> "SignedNote":
        """The note with these signatures at its end; an earlier one of the same key makes room."""
        keys = {(new.name, new.key_id) for new in signatures}
        kept = (old for old in self.signatures if (old.name, old.key_id) not in keys)
        return SignedNote(self.text, (*kept, *signatures))


# --- keys


@dataclass(frozen=True, slots=True)
class NoteKey(ABC):
    """A public key by the name under which it signs; `kind` is the format's byte for what its signatures are.

    MalformedKey for a name or key that no note can carry.
    """

    kind: ClassVar[int]
    name: str
    public: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public) != PUBLIC_KEY_BYTES:
            raise MalformedKey("malformed_key")

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ 0x0A ‖ kind ‖ public key)[:4]."""
        return _key_id(self.name, bytes([self.kind]) + self.public)

    @property
    def text(self) -> str:
        """`<name>+<key id in hex>+<base64(kind ‖ public key)>`, as verifiers exchange it."""
        return f"{self.name}+{self.key_id.hex()}+{to_base64(bytes([self.kind]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key that `text` is the one form of; MalformedKey for every other text, also for another kind's."""
        name, key_id, material = _split_key(text, cls.kind)
        key = cls(name, material)
        if key.key_id.hex() != key_id:
            raise MalformedKey("wrong_key_id")
        return key

    @abstractmethod
    def signed(self, text: str, blob: bytes) -> bool:
        """Whether `blob` is this key's signature of `text`."""


@dataclass(frozen=True, slots=True)
class LogKey(NoteKey):
    """A key that signs texts as they are (kind 0x01): the log's."""

    kind: ClassVar[int] = 0x01

    def signed(self, text: str, blob: bytes) -> bool:
        """Whether `blob` is the Ed25519 signature of `text`."""
        return ed25519_matches(self.public, text.encode(), blob)


@dataclass(frozen=True, slots=True)
class Signer(ABC):
    """A private key: 32 secret bytes from the system's randomness, which its `repr` does not show."""

    kind: ClassVar[int]
    name: str
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.seed) != SEED_BYTES:
            raise MalformedKey("malformed_key")

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return private_key(self.seed).public_key().public_bytes_raw()

    @property
    def secret_text(self) -> str:
        """`PRIVATE+KEY+<name>+<key id in hex>+<base64(kind ‖ seed)>`: for the key file only."""
        key_id = _key_id(self.name, bytes([self.kind]) + self.public)
        return f"{_PRIVATE}{self.name}+{key_id.hex()}+{to_base64(bytes([self.kind]) + self.seed)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The signer that `text` is the one form of; MalformedKey for every other text, also for another kind's."""
        if not text.startswith(_PRIVATE):
            raise MalformedKey("malformed_key")
        name, _, material = _split_key(text.removeprefix(_PRIVATE), cls.kind)
        signer = cls(name, material)
        if signer.secret_text != text:
            raise MalformedKey("wrong_key_id")
        return signer

    def ed25519(self, message: bytes) -> bytes:
        """The Ed25519 signature of `message`, 64 bytes."""
        return private_key(self.seed).sign(message)


@dataclass(frozen=True, slots=True)
class LogSigner(Signer):
    """Signs texts as they are (kind 0x01)."""

    kind: ClassVar[int] = LogKey.kind

    @property
    def key(self) -> LogKey:
        """Its public half."""
        return LogKey(self.name, self.public)

    def sign(self, text: str) -> Signature:
        """The signature of `text`, for the note's last lines."""
        return Signature(self.name, self.key.key_id, self.ed25519(text.encode()))


def private_key(seed: bytes) -> "Ed25519PrivateKey":
    """The key of these 32 bytes, ready to sign."""
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - most commands sign nothing

    return ed25519.Ed25519PrivateKey.from_private_bytes(seed)


def ed25519_matches(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature`, of whatever length, is that of `message` under the 32 bytes `public`."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - as above

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def check_name(name: str) -> None:
    """MalformedKey unless a note can carry the name: not empty, no spaces, controls or plus."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise MalformedKey("malformed_name") from None
    if not _is_name(name) or _has_control(name):
        raise MalformedKey("malformed_name")


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(map(str.isspace, name))


def _key_id(name: str, encoded: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + encoded).digest()[:KEY_ID_BYTES]


def _split_key(text: str, kind: int) -> tuple[str, str, bytes]:
    """Name, key id in hex and key of `<name>+<hex>+<base64(kind ‖ key)>`; base64 may itself hold a plus."""
    try:
        name, key_id, encoded = text.split("+", 2)
        material = from_base64(encoded)
    except ValueError:
        raise MalformedKey("malformed_key") from None
    check_name(name)
    if not material:
        raise MalformedKey("malformed_key")
    if material[0] != kind:
        raise MalformedKey("wrong_key_kind")
    return name, key_id, material[1:]


# --- reading

K = TypeVar("K", bound=NoteKey)


def parse(data: bytes) -> SignedNote:
    """The note whose bytes are exactly `data`; MalformedNote for every other byte string. Nothing is verified."""
    if len(data) > MAX_NOTE_BYTES:
        raise MalformedNote("note_size")
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise MalformedNote("not_utf8") from None
    if _has_control(whole):
        raise MalformedNote("control_character")
    text, empty_line, below = whole.rpartition("\n\n")
    if not empty_line or not below.endswith("\n"):
        raise MalformedNote("no_signatures")
    lines = below[:-1].split("\n")  # never splitlines: it also parts at U+0085 and U+2028
    if len(lines) > MAX_SIGNATURES:
        raise MalformedNote("too_many_signatures")
    signatures = tuple(map(_parse_signature, lines))
    if len({(one.name, one.key_id) for one in signatures}) < len(signatures):
        raise MalformedNote("doubled_signature")
    return SignedNote(text + "\n", signatures)


def _parse_signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        value = from_base64(encoded)
    except ValueError:
        raise MalformedNote("malformed_signature") from None
    if not (line.startswith(_DASH) and space and _is_name(name) and len(value) > KEY_ID_BYTES):
        raise MalformedNote("malformed_signature")
    return Signature(name, value[:KEY_ID_BYTES], value[KEY_ID_BYTES:])


def verified(note: SignedNote, keys: Sequence[K]) -> list[tuple[K, Signature]]:
    """Which of `keys` have signed the note, each with its signature; at least one.

    Signatures of other keys are ignored, also when they share a name or a key id with one of these.
    UnverifiedNote when a signature of one of them is wrong, or none is there. ValueError when two of `keys` cannot
    be told apart.
    """
    known = {(key.name, key.key_id): key for key in keys}
    if len(known) < len(keys):
        raise ValueError("two keys of one name and id")
    found = []
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is not None:
            if not key.signed(note.text, signature.blob):
                raise UnverifiedNote("signature_wrong")
            found.append((key, signature))
    if not found:
        raise UnverifiedNote("no_known_signature")
    return found


# --- texts that have one form


def to_base64(value: bytes) -> str:
    """Standard base64 with padding (RFC 4648 §4)."""
    return base64.b64encode(value).decode()


def from_base64(text: str) -> bytes:
    """The bytes whose base64 is exactly `text`; ValueError for every other text, also one with set slack bits."""
    value = base64.b64decode(text, validate=True)
    if to_base64(value) != text:
        raise ValueError("not base64 as it is written")
    return value


def from_decimal(text: str, limit: int) -> int:
    """The number up to `limit` whose ASCII decimal is exactly `text`; ValueError for every other text."""
    if not _is_decimal(text) or int(text) > limit:
        raise ValueError("not a number as it is written")
    return int(text)
