"""Where a page of entries ended, as an opaque text that belongs to its filter: with another it is refused. Pure."""

import base64
import binascii
import hashlib

import msgspec

from casework.errors import CallerError
from casework.evidence.search.wanted import TermsWanted

MAX_LENGTH = 1_600
_MAX_ID = 2**63 - 1


class Place(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The last entry looked at, by id; of streams the last number looked at in each of them instead."""

    id: int = 0
    numbers: tuple[int, ...] = ()


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    print_: str
    place: Place


def write(place: Place, wanted: TermsWanted) -> str:
    """The cursor of the page after `place`."""
    body = msgspec.json.encode(_Cursor(_print_of(place, wanted), place))
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def read(cursor: str, wanted: TermsWanted) -> Place:
    """The place a cursor names; CallerError `cursor_malformed` unless `write` made it for this filter."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=_Cursor)
        place = found.place
        numbered = len(place.numbers) == len(wanted.streams or ())
        sane = len(cursor) <= MAX_LENGTH and all(0 <= number <= _MAX_ID for number in (place.id, *place.numbers))
        if numbered and sane and found.print_ == _print_of(place, wanted) and write(place, wanted) == cursor:
            return place
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        pass  # answered below, as a cursor of another list
    raise CallerError("cursor_malformed") from None


def _print_of(place: Place, wanted: TermsWanted) -> str:
    """Filter and place together: with another filter its pages would silently skip entries."""
    return hashlib.sha256(b"casework/evidence/search/cursor\n" + msgspec.json.encode([wanted, place])).hexdigest()[:16]
