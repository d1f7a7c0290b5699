"""What a branch is, from outside: its feeds' figures, its cases by state and owner, and why each thing happened.

One line for what belongs together: how many, how much, and a digest of all that those cases or entries say. A changed
digest beside an unchanged count means that the same cases say something else; `whole` has every case and entry on a
line of its own, to be compared with the same of the commit before.
"""

import hashlib
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Shell = Callable[..., str]
"""Runs `casework ARGUMENTS`, which must succeed; its output."""
Row = tuple[str, Mapping[str, int], str]
"""Under which heading, what is summed, and what is said."""

_FIGURES = (
    "overdue", "overdue_fen", "opened", "gone", "gone_share", "buckets", "roll", "m1_cured", "m2_m3_cured",
    "buckets_fen", "roll_fen", "changed", "unchanged", "set_aside", "held", "cases_opened", "cases_reopened",
    "cases_overdue_again", "cases_settled", "cases_not_settled", "cases_cancelled", "settlements_corrected",
    "recoveries", "recoveries_reversed", "without_case", "rows", "days_without_feed", "set_aside_rows", "left_books",
    "left_books_unpaid", "erased", "warnings",
)  # fmt: skip
_CASE = (
    "loan_id", "institution", "borrower_id", "product", "channel_code", "team", "region", "state", "state_since",
    "live", "owner", "handler", "opened_on", "opened_for", "closed_as", "ended_as", "principal_at_opening_fen",
    "oldest_due_date", "bucket", "overdue_principal_fen", "overdue_interest_fen", "overdue_penalty_fen",
    "outstanding_principal_fen", "days_past_due",
)  # fmt: skip
_EVENTS = (
    "case.opened", "case.assigned", "case.step.*", "case.refused.*", "case.asked.*", "case.fact.*", "request.*",
    "handover.*",
)  # fmt: skip


def told(shell: Shell) -> Iterator[str]:
    """The table of the branch that `shell` works on."""
    yield "# feeds: loans in arrears and how much, opened, gone; cases opened, settled; all figures"
    yield from _feeds(shell)
    for title, rows in _sections(shell):
        yield f"\n# {title}"
        yield from _grouped(rows)


def whole(shell: Shell) -> Iterator[str]:
    """Every case and every entry that counts, a line each."""
    for _, rows in _sections(shell):
        for heading, _, said in rows:
            yield f"{heading}: {said}"


def _sections(shell: Shell) -> Iterator[tuple[str, Iterable[Row]]]:
    yield "cases by state and owner", _cases(shell)
    with tempfile.TemporaryDirectory() as folder:
        shell("audit", "seal")
        for number, event in enumerate(_EVENTS):
            file = Path(folder) / f"{number}.jsonl"
            shell("audit", "search", "--event", event, "--order", "oldest", "--format", "jsonl", "--out", str(file))
            entries = [json.loads(line) for line in file.read_text().splitlines()]
            yield f"entries {event}", [_entry(entry) for entry in entries]


def _feeds(shell: Shell) -> Iterator[str]:
    for run in json.loads(shell("feed", "runs", "--json")):
        figures = {name: run[name] for name in _FIGURES}
        shown = " ".join(str(run[name]) for name in (*_FIGURES[:4], "cases_opened", "cases_settled"))
        yield f"{run['as_of']} {shown} {_digest([json.dumps(figures, sort_keys=True)])}"


def _cases(shell: Shell) -> Iterator[Row]:
    for case in json.loads(shell("case", "list", "--all", "--json"))["items"]:
        sums = {name: case[name] for name in ("overdue_fen", "outstanding_principal_fen")}
        yield f"{case['state']} {case['owner']}", sums, _said(case["id"], *(case[name] for name in _CASE))


def _entry(entry: Mapping[str, Any]) -> Row:
    event, data = entry["event"], entry["data"]
    way = f"{entry['from'] or ''} → {entry['to'] or ''}"
    codes = [reason["code"] for reason in data.get("reasons", ())]
    heading: Sequence[str | None]
    if event == "case.opened":
        heading = event, data["ground"], data["owner_rule"]
    elif event == "case.assigned":
        heading = event, data["reason"], data.get("rule")
    elif codes:
        heading = event, *codes
    else:
        heading = event, way
    who = entry["actor"]["id"]
    names = (
        "business_date", "owner", "handler", "owner_post", "named", "from_owner", "from_handler", "last_in_house",
        "given", "post", "reasons", "on",
    )  # fmt: skip
    told_ = {name: data[name] for name in names if name in data}
    return " ".join(part or "–" for part in heading), {}, _said(entry["stream"], way, who, entry["rules"], told_)


def _grouped(rows: Iterable[Row]) -> Iterator[str]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row)
    for heading, found in sorted(groups.items()):
        sums = [str(sum(row[1][name] for row in found)) for name in found[0][1]]
        yield " ".join([f"{heading}:", str(len(found)), *sums, _digest(row[2] for row in found)])


def _said(*parts: Any) -> str:
    return json.dumps(parts, ensure_ascii=False, sort_keys=True)


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:12]
