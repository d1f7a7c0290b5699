"""Is a plan still about the world as it is? Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from casework.work.handover.moves import OWNER_STAYS, Move

_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class HeldThen:
    """One case of theirs as a plan compares it: are they its owner, its handler, and in which state is it."""

    was_owner: bool
    was_handler: bool
    state: str


class Differences(msgspec.Struct):
    """What has changed since the plan was made: counts, and the first cases of each kind.

    `came`: theirs now, not in the plan; `went`: in the plan, not theirs now or finally closed; `changed`: another role,
    state or material version; `receivers`: who may not receive any more, with the code why; `refused`: what the door
    refused, by code.
    """

    came: int = 0
    went: int = 0
    changed: int = 0
    cases: list[int] = []
    receivers: dict[str, str] = {}
    refused: dict[str, int] = {}

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.came or self.went or self.changed or self.receivers or self.refused)

    def as_data(self) -> dict[str, Any]:
        """For an entry: only what there is; staff numbers and codes are values, never keys."""
        return {
            "came": self.came, "went": self.went, "changed": self.changed, "differing_cases": self.cases,
            "unfit_receivers": [{"receiver": who, "code": code} for who, code in sorted(self.receivers.items())],
            "refused": [{"code": code, "cases": count} for code, count in sorted(self.refused.items())],
        }  # fmt: skip


def compare(
    moves: Iterable[Move],
    held: Mapping[int, HeldThen],
    unfit: Mapping[str, str],
    versions: Mapping[int, int] | None = None,
) -> Differences:
    """`held`: the cases to be moved as they stand; `versions`: their material versions, where they were read.

    Where they were not, the door compares them itself, case by case.
    """
    planned = {move.case_id: move for move in moves}
    came = [case_id for case_id in held if case_id not in planned]
    went = [case_id for case_id in planned if case_id not in held]
    changed = [
        case_id for case_id, move in planned.items()
        if case_id in held and (
            held[case_id] != HeldThen(move.was_owner, move.was_handler, move.state)
            or (versions is not None and versions[case_id] != move.material_version)
        )
    ]  # fmt: skip
    return Differences(
        len(came), len(went), len(changed), _first(came, went, changed), dict(sorted(unfit.items()))
    )  # fmt: skip


def receivers_by_choice(moves: Iterable[Move]) -> set[str]:
    """Who is to receive cases; an owner who merely stays is not among them."""
    return {move.receiver for move in moves if move.receiver is not None and move.reason != OWNER_STAYS}


def _first(*kinds: Collection[int]) -> list[int]:
    return sorted({case_id for kind in kinds for case_id in sorted(kind)[:_SHOWN]})[:_SHOWN]
