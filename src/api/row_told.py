"""What is wrong with a row of a file, as programs are told it."""

from typing import Any, Self

import msgspec

from casework.intake.sheets.fault import Fault


class RowTold(msgspec.Struct):
    """What is wrong with a row that was set aside; a row may have several.

    `line`: the header is 1. `column`: ours, none for the row as a whole. `cell`: C17 in a workbook, else what the file
    calls the column. `value`: masked where it is personal. `expected_zh`, `expected_en`: what the cell may hold. `kind`
    says what `code` says.
    """

    line: int
    column: str | None
    kind: str
    zh: str
    en: str
    code: str
    file: str | None
    cell: str | None
    value: str | None
    expected_zh: str | None
    expected_en: str | None

    @classmethod
    def of(cls, one: Fault, **more: Any) -> Self:
        """As it is told."""
        return cls(
            one.line, one.column, one.code, one.zh, one.en, one.code, one.file, one.cell, one.value, one.expected_zh,
            one.expected_en, **more,
        )  # fmt: skip
