"""A hand-over as the fold of its entries. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from casework.log.format.entry import Entry

FOLDED: Final = ("staff_no", "kind", "effective_on", "status", "plan_digest", "planned_by", "planned_at", "applied_at",
                  "replaced_by", "request_id")  # fmt: skip
_AS_PLANNED: Final = ("staff_no", "kind", "effective_on", "plan_digest", "planned_by")


def fold_handover(row: dict[str, Any] | None, entry: Entry) -> dict[str, Any]:
    """The row after an entry; ValueError or KeyError for one that cannot follow."""
    data, event = entry.data, entry.event
    if event == "handover.planned":
        if row is not None:
            raise ValueError("planned twice")
        fresh = dict.fromkeys(FOLDED) | {name: data[name] for name in _AS_PLANNED}
        return fresh | {"request_id": data["request"], "status": "planned", "planned_at": entry.recorded_at}
    if row is None:
        raise ValueError(f"{event} cannot be the first")
    before, changes = _STEPS[event]
    if before is not None and row["status"] not in before:
        raise ValueError(f"{event} after {row['status']}")
    changed: dict[str, Any] = changes(entry)
    return row | changed


def _same(_entry: Entry) -> dict[str, Any]:
    return {}


_OPEN = ("planned", "approved")
_STEPS: Final[Mapping[str, Any]] = {
    "handover.approved": (("planned",), lambda _: {"status": "approved"}),
    "handover.applied": (("approved",), lambda entry: {"status": "applied", "applied_at": entry.recorded_at}),
    "handover.replaced": (_OPEN, lambda entry: {"status": "replaced", "replaced_by": entry.data["by"]}),
    "handover.withdrawn": (_OPEN, lambda _: {"status": "withdrawn"}),
    "handover.sheet_made": (None, _same),
}
