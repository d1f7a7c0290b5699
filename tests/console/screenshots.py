"""`python -m tests.console.screenshots FOLDER`: the main pages as people see them, on a demo of the usual size."""

import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.console.browser import CHROMIUM, case_in, chromium, demo, somebody

SHOWN: Final = (
    ("home", "zh", "phone_collector", "/console"),
    ("cases", "zh", "basic_risk_manager", "/console/cases?live=true"),
    ("debtor", "zh", "phone_collector", "/console/debtors/{own}"),
    ("case", "zh", "asset_preservation", "/console/cases/{litigation}"),
    ("case-en", "en", "asset_preservation", "/console/cases/{litigation}"),
    ("chart", "zh", "basic_risk_manager", "/console/rules/charts/overdue_loan"),
    ("feed", "zh", "basic_risk_manager", "/console/feeds/17"),
    ("handover", "zh", "basic_risk_manager", "/console/handovers/1"),
    ("person", "zh", "administrator", "/console/staff/S102"),
    ("questions", "zh", "auditor", "/console/log/questions?ask=requests"),
    ("log", "zh", "auditor", "/console/log?event=case.refused.*"),
    ("entry", "en", "auditor", "/console/log/entries/case:{litigation}:1"),
)


def main(folder: Path) -> None:
    """Write a PNG for each."""
    if CHROMIUM is None:
        sys.exit("no Chromium on this machine")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, demo(Path(place), loans=2_000) as served, chromium() as browser:
        own = case_in(served, "phone_collection", served.people["phone_collector"])
        numbers = {"litigation": case_in(served, "litigation"), "own": own}
        for name, lang, post, path in SHOWN:
            watched = somebody(browser, served, post, lang)
            page = watched.go(path.format(**numbers))
            page.screenshot(path=folder / f"{name}.png")
            watched.close()
            print(folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
