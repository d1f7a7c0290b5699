"""Whom a raw row names: what an erasure finds rows set aside by."""

import pytest

from casework.intake.feed.naming import named_in

AT = {"loan_id": 0, "borrower_id": 1, "id_number": 2, "principal": 3}


@pytest.mark.parametrize(
    ("cells", "named"),
    [
        (("L1", " B1 ", "11010119900101123x", "1000"), {"L1", "B1", "11010119900101123x", "11010119900101123X"}),
        (("L1", "B1", "", "B2"), {"L1", "B1", ""}),  # in another column it is an amount, a name, a remark
        (
            ("Ｌ１", "'B1", "", "1"),
            {"Ｌ１", "L1", "'B1", "B1", ""},
        ),  # an id that was set aside as spoilt is still somebody's
        (('="L1"', "B1\u200b", "", "1"), {'="L1"', "L1", "B1\u200b", "B1", ""}),
        (("10001.0", "B1", "", "1"), {"10001.0", "10001", "B1", ""}),
        (("L1", "B1", "B2"), {"L1", "B1", "B2"}),  # cells that may have moved
    ],
)
def test_a_row_names_whom_its_columns_name_or_any_cell_where_they_may_have_moved(
    cells: tuple[str, ...], named: set[str]
) -> None:
    assert named_in(AT, 4, cells) == named


def test_a_file_without_a_column_of_ids_names_nobody_by_it() -> None:
    assert named_in({"loan_id": 1}, 2, ("B1", "L1")) == {"L1"}
