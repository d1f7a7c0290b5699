"""Known vulnerabilities of what the locks pin: pip-audit asks for them, where they can be reached.

`python -m supply.advisories` ends with 0 if none is known but what `allowed.toml` accepts, or if nobody could be asked,
which is said; with 1 if one is known, or if pip-audit gives no answer though advisories can be reached.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import requests

from supply.lock import ROOT

URL: Final = "https://api.osv.dev/v1/query"
LOCKS: Final = (ROOT / "requirements-dev.txt", ROOT / "requirements-build.txt")  # the first has the run-time lock in it
ALLOWED: Final = ROOT / "supply" / "allowed.toml"
ANSWER_S: Final = 5.0  # for one answer
WHOLE_S: Final = 180.0  # for all of them


@dataclass(frozen=True)
class Known:
    """A known vulnerability of a pinned package; `ids` are the names that it goes by."""

    package: str
    version: str
    ids: frozenset[str]
    told: str


@dataclass(frozen=True)
class Allowed:
    """One that is accepted for a while."""

    id: str
    package: str
    reason: str
    until: date


@dataclass(frozen=True)
class Outcome:
    """What is said, and the exit code."""

    code: int
    lines: tuple[str, ...]


class NotAsked(Exception):
    """Nobody could be asked, and why."""


class NotAnswered(Exception):
    """Whoever was asked could be reached, and there is no answer all the same."""


def read_allowed(path: Path) -> list[Allowed]:
    """ValueError unless each entry has id, package, reason and the last day on which it is accepted."""
    found = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("allowed", []):
        if set(entry) != {"id", "package", "reason", "until"} or not entry["reason"].strip():
            raise ValueError(f"{path.name}: an entry has id, package, reason and until, and nothing else: {entry}")
        if type(entry["until"]) is not date:
            raise ValueError(f"{path.name}: until is a day, such as 2027-01-31: {entry}")
        found.append(Allowed(**entry))
    return found


def ask(locks: Sequence[Path], url: str, *, answer_s: float, whole_s: float) -> list[Known]:
    """What is known of the packages that the locks pin; NotAsked, NotAnswered."""
    _reach(url, answer_s)
    with tempfile.TemporaryDirectory() as cache:
        command = [
            *(sys.executable, "-m", "pip_audit", "--disable-pip", "--format=json", "--progress-spinner=off"),
            *("--vulnerability-service=osv", f"--osv-url={url}", f"--timeout={max(1, round(answer_s))}"),
            *(f"--cache-dir={cache}", *(f"--requirement={lock}" for lock in locks)),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=whole_s, check=False)  # noqa: S603  # ours
        except subprocess.TimeoutExpired:
            raise NotAsked(f"not all had been answered after {whole_s:g} s") from None
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        _reach(url, answer_s)  # it may have gone meanwhile
        raise NotAnswered((done.stderr.strip() or "nothing").splitlines()[-1]) from None
    skipped = [one["name"] for one in packages if "vulns" not in one]
    if skipped or not packages:
        raise NotAnswered(f"pip-audit passed over {', '.join(skipped) or 'everything'}")
    return [_known(one, vulnerability) for one in packages for vulnerability in one["vulns"]]


def _reach(url: str, answer_s: float) -> None:
    """NotAsked unless advisories can be had there: an answer to a question that is answered the same for ever."""
    question: dict[str, Any] = {"package": {"name": "pip", "ecosystem": "PyPI"}, "version": "0.0.1"}
    try:
        answer = requests.post(url, json=question, timeout=answer_s)
        answer.raise_for_status()
        if not isinstance(answer.json(), dict):
            raise NotAsked("what answers there knows no advisories")
    except (requests.RequestException, ValueError) as error:
        raise NotAsked(type(error).__name__) from None


def _known(package: dict[str, Any], vulnerability: dict[str, Any]) -> Known:
    mended = ", ".join(vulnerability["fix_versions"]) or "no version yet"
    told = f"{' '.join(vulnerability['description'].split())[:160]} (mended in {mended})"
    ids = frozenset([vulnerability["id"], *vulnerability["aliases"]])
    return Known(package["name"], package["version"], ids, told)


def judge(known: Sequence[Known], allowed: Sequence[Allowed], today: date) -> Outcome:
    """1 if anything is known that is not accepted today."""
    lines, refused, needed = list[str](), 0, set[Allowed]()
    for one in sorted(known, key=lambda one: (one.package, *sorted(one.ids))):
        named = f"{one.package} {one.version}: {', '.join(sorted(one.ids))}"
        accepted = next((may for may in allowed if may.id in one.ids and may.package == one.package), None)
        if accepted is not None:
            needed.add(accepted)
        if accepted is not None and today <= accepted.until:
            lines.append(f"accepted until {accepted.until}: {named}: {accepted.reason}")
        else:
            refused += 1
            lines.append(
                f"{f'accepted until {accepted.until}, and no longer' if accepted else 'known'}: {named}: {one.told}"
            )
    lines += [f"accepted though not known: {may.package}: {may.id}" for may in allowed if may not in needed]
    return Outcome(int(refused > 0), (*lines, f"advisories: {refused} that nobody accepted, {len(known)} known"))


def check(locks: Sequence[Path], allowed: Path, url: str, today: date) -> Outcome:
    """Ask and judge."""
    accepted = read_allowed(allowed)
    try:
        return judge(ask(locks, url, answer_s=ANSWER_S, whole_s=WHOLE_S), accepted, today)
    except NotAsked as why:
        return Outcome(0, (f"advisories: NOT ASKED, {url} cannot be reached: {why}",))
    except NotAnswered as why:
        return Outcome(1, (f"advisories: no answer: {why}",))


def main() -> None:
    """Print the outcome."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m supply.advisories")
    parser.add_argument("--url", default=URL, help="whom to ask, in the manner of osv.dev")
    outcome = check(LOCKS, ALLOWED, parser.parse_args().url, datetime.now(UTC).date())
    print(*outcome.lines, sep="\n")
    sys.exit(outcome.code)


if __name__ == "__main__":
    main()
