"""Every cell of a row that cannot be used, where what reads a row stops at the first. Pure."""

from collections.abc import Callable, Mapping, Sequence

from casework.intake.feed.cell import BadCell, CellNote


def faults_behind(
    first: CellNote, parse: Callable[[list[str]], object], cells: Sequence[str], positions: Mapping[str, int],
    sound: Mapping[str, str],
) -> list[CellNote]:  # fmt: skip
    """Every cell of a row that cannot be used, the `first` among them: with a sound one in its place the next is found.

    `sound`: by column a cell that can be read. What is at fault only beside one that was put in is none of the row's.
    A row whose cells may have moved has that fault alone.
    """
    found, tried, put_in, note = [first], list(cells), set[str](), first
    while (at := positions.get(note.column)) is not None and note.column in sound and note.column not in put_in:
        tried[at] = sound[note.column]
        put_in.add(note.column)
        try:
            parse(tried)
            break
        except BadCell as bad:
            note = bad.note
            if bad.beside not in put_in and note.column not in put_in:
                found.append(note)
    return found
