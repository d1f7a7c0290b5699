"""What people did with a case's tasks: moved, put off, begun, added, ended, and the strategies that were started.

None of it is an entry of the case; each names the case that it is about, and so it is found.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy.engine import Connection

from casework.evidence.search.find import page_of_entries
from casework.evidence.search.wanted import TermsWanted
from casework.work.cases.branch import Branch
from casework.work.cases.event_names import label_of
from casework.work.tasks.standing import MOVED, POSTPONED

_EVENTS: Final = "tasks.*"


class ListAct(msgspec.Struct):
    """One act; `zh` and `en` say what it is, `reason_zh` and `reason_en` why. `data` is the entry's own."""

    entry_id: str
    event: str
    zh: str
    en: str
    actor: str
    via: str
    recorded_at: datetime
    reason_code: str | None
    reason_zh: str | None
    reason_en: str | None
    rules: list[str]
    data: Mapping[str, Any]
    mac_holds: bool


class ListActs(msgspec.Struct):
    """A page, the newest first; it may hold fewer than asked for while `next`, the cursor of the next one, is given."""

    items: list[ListAct]
    next: str | None


def acts_of_case(
    conn: Connection, branch: Branch, case_id: int, *, limit: int = 50, cursor: str | None = None
) -> ListActs:  # fmt: skip
    """At most `limit` (1 to 200) acts; `conn` sees one moment. CallerErrors `filter_malformed`, `cursor_malformed`."""
    wanted = TermsWanted(about=f"case:{case_id}", event=_EVENTS, newest_first=True)
    page = page_of_entries(conn, branch.mac_key, wanted, after=cursor, limit=limit)
    rules = branch.rulebook.tasks
    reasons = {MOVED: rules.move_reasons, POSTPONED: rules.postpone_reasons}
    items = []
    for line in page.items:
        body = msgspec.json.decode(bytes(line.body))
        zh, en = label_of(branch.rulebook, body["event"])
        why = reasons.get(body["event"], {}).get(body["reason_code"] or "")
        items.append(
            ListAct(
                line.entry_id, body["event"], zh, en, body["actor"]["id"], body["actor"]["via"], line.recorded_at,
                body["reason_code"], why.zh if why else None, why.en if why else None, body["rules"], body["data"],
                line.mac_holds,
            )
        )  # fmt: skip
    return ListActs(items, page.next)
