"""`python -m tests.console.screenshots FOLDER [--all]`: pages as people see them, on a demo of the usual size.

The main ones, for `docs/`; or all to be looked at: every page that a link leads each persona to, in both languages,
at a desk and on a phone, whole. Whenever they are made, it is ten in the morning of that day there: at night nobody
may be called, and a page of work to do has none.
"""

import os
import re
import subprocess
import sys
import tempfile
from datetime import datetime, time
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, Error

from casework.clock import now
from tests.console.browser import CHROMIUM, PHONE, SIZE, ZONE, Demo, Watched, case_in, chromium, demo, somebody
from tests.console.walk import PERSONAS, kind_of, walked

SHOWN: Final = (
    ("home", "zh", "phone_collector", "/console"),
    ("cases", "zh", "basic_risk_manager", "/console/cases?live=true"),
    ("debtor", "zh", "phone_collector", "/console/debtors/{own}"),
    ("case", "zh", "asset_preservation", "/console/cases/{litigation}"),
    ("case-en", "en", "asset_preservation", "/console/cases/{litigation}"),
    ("day", "zh", "phone_collector", "/console/day"),
    ("route", "zh", "business_rep", "/console/visits/today"),
    ("review", "zh", "basic_risk_manager", "/console/visits/review"),
    ("evening", "zh", "basic_risk_manager", "/console/evening"),
    ("chart", "zh", "basic_risk_manager", "/console/rules/charts/overdue_loan"),
    ("feed", "zh", "basic_risk_manager", "/console/feeds/17"),
    ("handover", "zh", "basic_risk_manager", "/console/handovers/1"),
    ("person", "zh", "administrator", "/console/staff/S102"),
    ("questions", "zh", "auditor", "/console/log/questions?ask=requests"),
    ("log", "zh", "auditor", "/console/log?event=case.refused.*"),
    ("entry", "en", "auditor", "/console/log/entries/case:{litigation}:1"),
)
_HOUR: Final = time(10)
_SHIFTED: Final = "PICTURES_AT_TEN"
_CLOCK: Final = """
from datetime import timedelta
from casework import clock
real = clock.now
clock.now = lambda: real() + timedelta(seconds={seconds})
"""
"""What each process runs before it imports anything that asks for the time."""


def at_ten(arguments: list[str]) -> None:
    """Begin anew with a clock that says ten in the morning, for this process and all that it starts."""
    zone = ZoneInfo(ZONE)
    ten = datetime.combine(now().astimezone(zone).date(), _HOUR, zone)
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "sitecustomize.py").write_text(_CLOCK.format(seconds=(ten - now()).total_seconds()))
        given = os.environ | {_SHIFTED: "1", "PYTHONPATH": place}
        again = [sys.executable, "-m", "tests.console.screenshots", *arguments]
        sys.exit(subprocess.run(again, env=given, check=False).returncode)


def main(folder: Path, *, every: bool = False) -> None:
    """Write a PNG for each."""
    if CHROMIUM is None:
        sys.exit("no Chromium on this machine")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, demo(Path(place), loans=2_000) as served, chromium() as browser:
        if every:
            all_of(browser, served, folder)
        else:
            main_ones(browser, served, folder)


def main_ones(browser: Browser, served: Demo, folder: Path) -> None:
    """Those that `docs/` shows."""
    own = case_in(served, "phone_collection", served.people["phone_collector"])
    numbers = {"litigation": case_in(served, "litigation"), "own": own}
    for name, lang, post, path in SHOWN:
        watched = somebody(browser, served, post, lang)
        page = watched.go(path.format(**numbers))
        page.wait_for_load_state("networkidle")  # photos come when they are in view
        page.screenshot(path=folder / f"{name}.png")
        watched.close()
        print(folder / f"{name}.png")


def all_of(browser: Browser, served: Demo, folder: Path, personas: tuple[str, ...] = PERSONAS) -> None:
    """One page of each kind, as the first persona that comes to it, and the first page of everybody."""
    seen = set[str]()
    for post in personas:
        watched = somebody(browser, served, post)
        seen.discard("/console")
        for number, href in enumerate([href for href, _ in walked(watched, seen)]):
            name = re.sub(r"[^a-z0-9]+", "-", kind_of(href).removeprefix("/console").lower()).strip("-") or "home"
            for lang in ("zh", "en"):
                for device, size in (("desk", SIZE), ("phone", PHONE)):
                    _photograph(watched, href, lang, size, folder / f"{post}-{number:02}-{name}-{lang}-{device}.png")
        watched.close()


def _photograph(watched: Watched, href: str, lang: str, size: dict[str, int], place: Path) -> None:
    watched.context.add_cookies([{"name": "casework_lang", "value": lang, "url": watched.demo.url}])
    watched.page.set_viewport_size(size)  # type: ignore[arg-type]  # a TypedDict of the same two
    try:
        watched.go(href)
        watched.page.screenshot(path=place, full_page=True)
    except Error as error:  # one that cannot be photographed keeps no other back
        print(f"{place.name}: {error}", file=sys.stderr)
        return
    print(place)


if __name__ == "__main__":
    if _SHIFTED not in os.environ:
        at_ten(sys.argv[1:])
    main(Path(sys.argv[1]), every="--all" in sys.argv[2:])
