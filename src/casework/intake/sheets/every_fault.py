"""Every cell of a row that cannot be used, where what reads a row stops at the first. Pure."""

from collections.abc import Callable, Mapping, Sequence

from casework.intake.feed.cell import BadCell, CellNote


def faults_behind(
    first: CellNote, parse: Callable[[list[str]], object], cells: Sequence[str], positions: Mapping[str, int],
    sound: Mapping[str, str],
) -> list[CellNote]:  # fmt: skip
    """Every cell of a row that cannot be used, the `first` among them: with a sound one in its place the next is found.

    `sound`: by column a cell that can be read. A row whose cells may have moved has that fault alone.
    """
    found, tried = [first], list(cells)
    while (at := positions.get(found[-1].column)) is not None and found[-1].column in sound:
        tried[at] = sound[found[-1].column]
        try:
            parse(tried)
            break
        except BadCell as bad:
            if any(one.column == bad.note.column for one in found):
                break
            found.append(bad.note)
    return found
