"""Which keys may sign a log, by what the log itself says: its first entry names one, each change another. Pure.

A change carries the signature of the key that leaves, so whoever trusts one key of a log learns the later ones from it
(docs/log.md §4). That an entry stands in the log at all is for the tree to show.
"""

from typing import Any, Final

from casework.log.format import note
from casework.log.format.entry import Entry
from casework.log.format.note import LogKey, ed25519_matches
from casework.log.format.tree import Faulty

BEGUN: Final = "log.begun"
CHANGED: Final = "log.key_changed"
RECEIPT_KEY: Final = "log.receipt_key"
"""The event by which a log says which key signs its receipts (`casework.log.write.receipt_keys`)."""
_CHANGE_LABEL: Final = "casework/audit/v1/key-change"


def change_text(origin: str, old: LogKey, new: LogKey, both_until: str) -> str:
    """What the old key signs when the new one comes: its first line is no log's origin, so it is no checkpoint."""
    return "".join(f"{line}\n" for line in (_CHANGE_LABEL, origin, old.text, new.text, both_until))


class KeyHistory:
    """The keys of the log `origin` whose statement is entry 1 of `stream`, told entry by entry in its order."""

    def __init__(self, origin: str, stream: str) -> None:
        self.origin = origin
        self.stream = stream
        self.keys: list[LogKey] = []
        self.faults: list[tuple[str, Entry]] = []

    def follow(self, entry: Entry) -> None:
        """Any entry; those that say nothing of this log's keys are passed over."""
        if entry.stream != self.stream or entry.event not in (BEGUN, CHANGED):
            return
        try:
            if entry.event == BEGUN:
                self._begin(entry)
            else:
                self._change(entry.data)
        except (Faulty, KeyError, TypeError, ValueError, AttributeError):
            self.faults.append(("key_history_wrong", entry))

    def _begin(self, entry: Entry) -> None:
        key = LogKey.parse(entry.data["key"])
        if entry.stream_seq != 1 or entry.data["origin"] != self.origin or key.name != self.origin:
            raise ValueError("another log's beginning")
        self.keys.append(key)

    def _change(self, data: dict[str, Any]) -> None:
        old, new = LogKey.parse(data["old_key"]), LogKey.parse(data["new_key"])
        signed = change_text(self.origin, old, new, data["both_until"]).encode()
        if new.name != self.origin or old not in self.keys:
            raise ValueError("a key that was not this log's")
        if not ed25519_matches(old.public, signed, note.from_base64(data["signature"])):
            raise ValueError("not signed by the key that leaves")
        self.keys.append(new)

    def known_from(self, held: list[LogKey]) -> list[LogKey]:
        """The keys that follow from those held: a held one and every later one. All, where none is held.

        None, where no held key is of this history.
        """
        if not held:
            return list(self.keys)
        places = [place for place, key in enumerate(self.keys) if key in held]
        return self.keys[min(places) :] if places else []
