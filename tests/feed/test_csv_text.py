"""A CSV read many rows at once and one by one, in turns, says what the `csv` module alone reads from it."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casework.errors import CallerError
from casework.intake.feed.bounds import ROW_LIMIT_CHARACTERS
from casework.intake.feed.csv_text import CsvText
from tests.conftest import LONGER

Rows = list[tuple[int, list[str]]]


def in_turns(text: str, width: int, turns: list[int], *, put_back: bool = False) -> tuple[Rows, int]:
    """The rows, read so many one by one between trying to read them at once; how many were read at once."""
    read = CsvText(text.encode("utf-8", "surrogatepass"), "utf-8", "loans.csv")
    found: Rows = []
    numbered, at_once, turn = iter(read), 0, 0
    for row in numbered:
        found.append(row)
        turn += 1
        if turn % turns[len(found) % len(turns)]:
            continue
        while (plain := read.plain_rows(width)) is not None:
            if put_back:
                read.put_back(plain)
                break
            found += zip(plain.lines, map(list, zip(*plain.columns, strict=True)), strict=True)
            at_once += len(plain.lines)
    return found, at_once


def by_csv(text: str) -> Rows:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found, line = [], 1
    for cells in reader:
        found.append((line, cells))
        line = reader.line_num + 1
    return found


def test_plain_rows_are_read_at_once_whatever_their_line_ends_and_behind_the_header_alone() -> None:
    for end in ("\n", "\r\n"):
        text = end.join(["a,b,c", *(f"D{number},甲,2" for number in range(20_000))])
        for last in ("", end):
            found, at_once = in_turns(text + last, 3, [1])
            assert (found, at_once) == (by_csv(text + last), 20_000)


def test_rows_of_quoted_cells_blank_rows_and_other_line_ends_are_read_one_by_one_and_the_others_at_once() -> None:
    lines = ["a,b,c", *(f"D{number},甲,2" for number in range(20_000))]
    for odd in ('D1,"x\n""y",2', "", "D1,2", "D1,2,3,4", "D1,x\ry,2", "D1,\r,2"):
        text = "\n".join([*lines[:10_000], odd, *lines[10_000:], odd])
        found, at_once = in_turns(text, 3, [1])
        assert found == by_csv(text)
        assert 12_000 < at_once < 20_000


def test_a_row_that_is_too_long_is_refused_wherever_it_stands() -> None:
    for where in (1, 3_000):
        lines = ["a,b", *(f"D{number},2" for number in range(5_000))]
        lines.insert(where, "D1," + "x" * ROW_LIMIT_CHARACTERS)
        with pytest.raises(CallerError) as refused:
            in_turns("\n".join(lines), 2, [1])
        assert (refused.value.code, refused.value.facts["line"]) == ("row_too_long", where + 1)


@settings(max_examples=300 * LONGER, deadline=None)
@given(st.data())
def test_whatever_the_text_both_ways_together_read_what_the_module_reads(data: st.DataObject) -> None:
    cell = st.sampled_from(["", "a", "甲", " ", '"x"', '"x,y"', '"x\ny"', "\x00", "\x0b", "\u2028", "D1"])
    row = st.lists(cell, min_size=1, max_size=4).map(",".join)
    plain = st.just("D1,甲,2")
    lines = data.draw(st.lists(plain | row, min_size=1, max_size=12))
    text = "a,b,c\n" + "".join(line + data.draw(st.sampled_from(["\n", "\n", "\r\n", "\r"])) for line in lines)
    text = text * data.draw(st.sampled_from([1, 1, 2_000]))
    turns, put_back = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)), data.draw(st.booleans())
    found, _ = in_turns(text, 3, turns, put_back=put_back)
    assert found == by_csv(text)
