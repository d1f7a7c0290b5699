"""An entry as it is shown to whoever asks for it. Pure."""

from datetime import datetime

import msgspec


class EntryLine(msgspec.Struct):
    """One entry: its body as the exact canonical bytes (JSON), and their leaf hash in hex.

    `mac_holds`: whether this service wrote it so; an entry with false was forged or changed, and proves nothing.
    """

    entry_id: str
    body: msgspec.Raw
    leaf_hash: str
    recorded_at: datetime
    mac_holds: bool
