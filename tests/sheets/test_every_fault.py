"""Which faults of a row are told, where what reads it stops at the first."""

import pytest

from casework.intake.feed.cell import BadCell
from casework.intake.sheets.every_fault import faults_behind

POSITIONS = {"started": 0, "ended": 1, "seconds": 2}
SOUND = {"started": "50", "ended": "60", "seconds": "5"}


def parse(cells: list[str]) -> None:
    started, ended, seconds = cells
    for column, cell in (("started", started), ("ended", ended)):
        if not cell.isdecimal():
            raise BadCell(column, "malformed")
    if int(ended) < int(started):
        raise BadCell("ended", "ended_before_started", beside="started")
    if not seconds.isdecimal():
        raise BadCell("seconds", "malformed")


@pytest.mark.parametrize(
    ("cells", "faults"),
    [
        (["x", "60", "5"], ["started malformed"]),
        (["x", "y", "z"], ["started malformed", "ended malformed", "seconds malformed"]),
        (["30", "20", "z"], ["ended ended_before_started", "seconds malformed"]),
        (["x", "40", "5"], ["started malformed"]),  # 40 is before the 50 that stands in, which is nobody's fault
        (["x", "40", "z"], ["started malformed", "seconds malformed"]),
    ],
)
def test_a_row_tells_every_cell_that_is_at_fault_and_none_that_is_so_only_beside_one_put_in(
    cells: list[str], faults: list[str]
) -> None:
    with pytest.raises(BadCell) as first:
        parse(cells)
    found = faults_behind(first.value.note, parse, cells, POSITIONS, SOUND)
    assert [f"{one.column} {one.code}" for one in found] == faults
