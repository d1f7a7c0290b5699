"""What became of a file of rows, whatever its kind: one shape for all. Pure."""

from dataclasses import dataclass, field, replace
from typing import Self

from casework.intake.sheets.fault import Fault


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which the register differs from a line; `request` asks for it where four eyes are needed."""

    line: int
    staff_no: str
    field: str
    before: str | None
    after: str | None
    request: int | None = None


@dataclass(slots=True)
class FileTaken:
    """What became of a file: rows, how many were new, changed, there already; what is warned of and set aside.

    `not_done`: how many would have been taken if all could have. `differences`: of a staff list, one by one.
    """

    rows: int = 0
    stored: int = 0
    changed: int = 0
    repeated: int = 0
    warnings: list[Fault] = field(default_factory=list)
    set_aside: list[Fault] = field(default_factory=list)
    not_done: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def aside(self) -> int:
        """How many rows were set aside."""
        return len({one.line for one in self.set_aside})

    def undone(self) -> Self:
        """The same where nothing of it was stored."""
        return replace(self, stored=0, changed=0, warnings=[], not_done=self.not_done + self.stored + self.changed)
