"""Terminals that cannot show every character."""

import os
import subprocess
import sys


def test_a_character_that_a_gbk_terminal_lacks_is_printed_as_its_escape() -> None:
    code = "from casework.cli import main as m; m.callback(); print('承诺 ¥ 🙂')"
    environment = {**os.environ, "PYTHONIOENCODING": "gbk"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert done.stdout.decode("gbk") == "承诺 \\u00a5 \\ud83d\\ude42\n"
