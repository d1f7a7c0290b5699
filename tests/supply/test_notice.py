"""NOTICE.md is what its tool makes of the run-time lock, and every package of it says its licence."""

from pathlib import Path

import pytest

from supply.lock import ROOT, pins
from supply.notice import NOTICE, NotTold, notice


def test_the_notice_is_current() -> None:
    """After `make lock`, `make notice`."""
    assert NOTICE.read_text(encoding="utf-8") == notice(ROOT / "requirements.txt")


def test_what_litestar_itself_requires_is_named() -> None:
    text = NOTICE.read_text(encoding="utf-8").replace("\n", " ")
    sentence = text[text.index("Litestar itself requires") :].partition(". ")[0]
    its = {pin.name for pin in pins(ROOT / "requirements.txt") if "litestar" in pin.needed_by}
    assert {"polyfactory", "pyyaml", "multidict"} <= its
    assert [name for name in its if name not in sentence] == []


PIN = "click=={version} \\\n    --hash=sha256:00\n    # via\n    #   casework (pyproject.toml)\n    #   litestar\n"


def test_a_package_that_is_not_installed_as_it_is_pinned_is_not_guessed_at(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text(PIN.format(version="0.1"))
    assert [(*pin,) for pin in pins(lock)] == [("click", "0.1", "", ("casework", "litestar"))]
    with pytest.raises(NotTold, match=r"click: 0\.1 is pinned"):
        notice(lock)


def test_a_lock_without_pins_is_no_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("# nothing\n")
    with pytest.raises(ValueError, match="pins nothing"):
        notice(lock)
