"""What is made once in a run is made by one process, and anew after a making that failed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.once import once

ASKS = """
import sys
from pathlib import Path
from tests.once import once
def make(folder):
    (folder / "by").write_text(sys.argv[2])
    return sys.argv[2]
print(once(Path(sys.argv[1]), make))
"""


def test_of_processes_that_ask_at_once_one_makes_it_and_all_are_told_the_same(tmp_path: Path) -> None:
    asked = [
        subprocess.Popen([sys.executable, "-c", ASKS, tmp_path / "made", str(number)], stdout=subprocess.PIPE,
                         text=True, cwd=Path(__file__).parents[1], env=os.environ)
        for number in range(3)
    ]  # fmt: skip
    told = {process.communicate(timeout=60)[0] for process in asked}
    assert told == {(tmp_path / "made/by").read_text() + "\n"}


def test_what_could_not_be_made_is_made_anew_from_an_empty_folder(tmp_path: Path) -> None:
    def breaks_off(folder: Path) -> int:
        (folder / "half").touch()
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011  # the one above
        once(tmp_path / "made", breaks_off)
    assert once(tmp_path / "made", lambda folder: len(list(folder.iterdir()))) == 0
