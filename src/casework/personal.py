"""Personal data at rest: sealed (AES-256-GCM, bound to its place), found by blind index, shown masked.

Field names decide how a value is normalised and masked: they are matched by their last word (`borrower_name`,
`person_name` → name; `id_number`; `phone`; `address`); any other field is free text.
"""

import hashlib
import os
import re
import unicodedata
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal

from casework.errors import CallerError
from casework.phone import normal_phone

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Kind = Literal["name", "id_number", "phone", "address", "text"]

_VERSION = b"\x01"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_LABEL = "casework/personal/v1/key\n"
_BLIND_BYTES = 16
_BLOCK_BYTES = 64  # of SHA-256
_BLIND_LABEL = b"casework/personal/v1/blind\n"
_A_DAY = r"(?!\d{4}-\d\d?-\d\d?(?![-\d]))"
_NUMBER = re.compile(rf"(?<!\d){_A_DAY}\+?\d(?:[ \-]?\d){{6,}}[Xx]?")  # a phone, a card, an ID: seven digits and more
_SPACE = re.compile(r"\s+")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")  # what a paste leaves between letters
_DOT_OF_NAME = re.compile("[.\u00b7\u2022\u2027\u2219\u22c5\u30fb\u25cf]")  # 阿依古丽·买买提, with whichever dot


class DoesNotOpen(CallerError, ValueError):
    """`sealed_value_altered`: a value was altered, or moved to another place, or another key sealed it."""

    def __init__(self) -> None:
        super().__init__(
            "sealed_value_altered",
            "加密保存的数据被改动，或不在其原来的位置，不予显示；请管理员运行 casework audit verify",
            "a sealed value does not open: it was altered, or moved from where it was sealed; nothing is shown; the "
            "operator runs casework audit verify",
        )


def cell(table: str, field: str, *key: str) -> str:
    """Where a value lies, to be sealed to it: moved to another table, row or field, it does not open.

    `key` is what a row is known by; no part of it but the last may have a NUL in it.
    """
    return "\x00".join((table, field, *key))


class ValueSealer:
    """Seals with one key of 32 bytes; safe to share between threads."""

    def __init__(self, key: bytes) -> None:
        """ValueError for a key of another length."""
        if len(key) != _KEY_BYTES:
            raise ValueError("a key has 32 bytes")
        self._key = key

    @cached_property
    def _cipher(self) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - most commands open nothing

        return AESGCM(self._key)

    def seal(self, place: str, value: str) -> bytes:
        """Version 1 ‖ nonce 12 ‖ ciphertext and tag; twice the same value gives different bytes."""
        return self._seal(place, value.encode())

    def open(self, place: str, sealed: bytes) -> str:
        """The value; DoesNotOpen when `sealed` was altered, or made for another place (`cell`) or by another key."""
        return self._open(place, sealed).decode()

    def seal_bytes(self, place: str, value: bytes) -> bytes:
        """`seal` of a file."""
        return self._seal(place, value)

    def open_bytes(self, place: str, sealed: bytes) -> bytes:
        """`open` of a file; DoesNotOpen."""
        return self._open(place, sealed)

    def _seal(self, bound_to: str, value: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, value, bound_to.encode())

    def _open(self, bound_to: str, sealed: bytes) -> bytes:
        if sealed[:1] != _VERSION:
            raise DoesNotOpen
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, body, bound_to.encode())
        except Exception as error:
            from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as above

            if isinstance(error, InvalidTag | ValueError):
                raise DoesNotOpen from None
            raise


class Vault(ValueSealer):
    """The branch's own keys: seals, wraps the keys of single subjects, and finds what is sealed by blind index."""

    def __init__(self, key: bytes, blind_key: bytes) -> None:
        """`key` and `blind_key`: 32 bytes each, different; ValueError otherwise."""
        if len(key) != _KEY_BYTES or len(blind_key) != _KEY_BYTES or key == blind_key:
            raise ValueError("two different keys of 32 bytes are needed")
        super().__init__(key)
        self._blind_key = blind_key
        # HMAC's two hashes with the key already fed in (RFC 2104): a third of the time of `hmac.digest`.
        padded = blind_key.ljust(_BLOCK_BYTES, b"\x00")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + _BLIND_LABEL)
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def new_key(self, subject: str) -> bytes:
        """A fresh key, wrapped with the branch's and bound to its subject."""
        return self._seal(_KEY_LABEL + subject, os.urandom(_KEY_BYTES))

    def unwrap(self, subject: str, wrapped: bytes) -> ValueSealer:
        """What seals for `subject`; ValueError for a key that was altered, or is another subject's."""
        return ValueSealer(self._open(_KEY_LABEL + subject, wrapped))

    def blind(self, field: str, value: str) -> bytes:
        """16 bytes, equal for equal values after normalisation; fields of one kind share their index."""
        kind = kind_of(field)
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(f"{kind}\x00{normalise(kind, value)}".encode())
        outer.update(inner.digest())
        return outer.digest()[:_BLIND_BYTES]

    def key_outside(self, whose: str) -> bytes:
        """32 bytes with which somebody seals what they keep outside of the house; the same each time, nobody else's."""
        return hashlib.blake2b(
            whose.encode(), key=self._blind_key, digest_size=_KEY_BYTES, person=b"casework/out/v1"
        ).digest()

    def fingerprint(self, content: bytes) -> bytes:
        """16 bytes that tell equal contents apart from others and nothing of what they hold (keyed)."""
        return hashlib.blake2b(
            content, digest_size=_BLIND_BYTES, key=self._blind_key, person=b"casework/rows/v1"
        ).digest()


@lru_cache(maxsize=256)
def kind_of(field: str) -> Kind:
    """What sort of personal data a field holds, by its name."""
    if field.endswith("id_number"):
        return "id_number"
    last = field.rpartition("_")[2]
    if last == "name":
        return "name"
    if last == "phone":
        return "phone"
    return "address" if last == "address" else "text"


def normalise(kind: Kind, value: str) -> str:
    """What two spellings of a value share: NFKC, nothing blank or unseen, ids in capitals, phones as `normal_phone`.

    In names neither case nor the dot between the parts makes a difference.
    """
    seen = value if value.isascii() else _UNSEEN.sub("", value)
    if kind == "phone":
        return normal_phone(seen)
    plain = _SPACE.sub("", unicodedata.normalize("NFKC", seen))
    if kind == "name":
        return _DOT_OF_NAME.sub("", plain).casefold()
    return plain.upper() if kind == "id_number" else plain


def mask(field: str, value: str) -> str:
    """What may be shown without the permission: 张**, 138****0000, 4201**********1234, six characters***.

    Of an ID number at least half is hidden, of a phone number a third and four digits, however short it is.
    """
    kind = kind_of(field)
    if not value:
        return ""
    if kind == "name":
        return value[0] + "**"
    if kind == "address":
        return value[:6] + "***" if len(value) > 6 else "***"
    most, hidden = (8, -(-len(value) // 2)) if kind == "id_number" else (7, max(4, -(-len(value) // 3)))
    shown = min(most, len(value) - hidden)
    if kind == "text" or len(value) <= most:
        return "***"
    head = shown // 2
    return value[:head] + "*" * (len(value) - shown) + value[head - shown :]


def mask_within(text: str, name: str | None = None) -> str:
    """Free text as it may be sent on: numbers of seven digits and more masked, and `name` wherever it stands."""
    masked = _NUMBER.sub(lambda found: mask("phone", found[0]), text)
    return masked.replace(name, mask("name", name)) if name else masked
