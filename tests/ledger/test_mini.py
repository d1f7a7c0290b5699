"""The ledger over twelve days of contact files, beside what is counted from the files themselves; drawn up twice.

Calls, answers and results are counted here from the rows; duties, breaches and lost days are those of the independent
script (`expected.json`), amounts and days past due those of the feeds. A row that came after its day is in the second.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from python_calamine import CalamineWorkbook

from casework.settings import Settings
from tests.feed.shell import casework
from tests.real_promises import file_of, rows_of

REAL = Path(os.environ.get("CASEWORK_REAL_FEEDS", Path(__file__).parents[3] / "shared" / "data"))
MINI = REAL / "calls-mini"
ZONE = ZoneInfo("Asia/Shanghai")
CALLS = {"call", "ai_voice"}
SPOKEN = {"debtor", "debtor_hung_up"}
ANSWERED = SPOKEN | {"third_party", "wrong_number", "contact_refused"}


def counted() -> dict[tuple[str, date], Counter[str]]:
    """By debtor and day, from all the files: calls made, answered, the debtor spoken to, calls without a recording."""
    aside = {(one["file"], one["line"]) for one in json.loads((MINI / "expected.json").read_bytes())["set_aside"]}
    whose = owners()
    found: dict[tuple[str, date], Counter[str]] = defaultdict(Counter)
    seen = set()
    for file in sorted(MINI.glob("calls-*.csv")):
        for line, row in enumerate(rows_of(file), 2):
            if (file.name, line) in aside or row["contact_ref"] in seen:
                continue
            seen.add(row["contact_ref"])
            on = datetime.fromisoformat(row["started_at"]).astimezone(ZONE).date()
            called = row["channel"] in CALLS
            met = row["result"] == "found" and row["party"] == "debtor"
            found[whose[row["loan_id"]], on].update(
                {
                    "实拨": called, "接通": called and row["result"] in ANSWERED,
                    "本人": row["result"] in SPOKEN or met, "未录音数": called and not row["recording"],
                }
            )  # fmt: skip
    return found


def _owners(feed: Path) -> Iterator[tuple[str, str]]:
    for file in feed.glob("loans-*.csv"):
        for row in rows_of(file):
            yield row["loan_id"], row["borrower_id"]


def owners() -> dict[str, str]:
    """Whose each loan is."""
    return {loan: borrower for feed in MINI.glob("feeds/*") for loan, borrower in _owners(feed)}


def arrears(feed: Path) -> dict[str, tuple[int, float]]:
    """Days past due and the sum overdue of each loan, as the feed has them."""
    on = date.fromisoformat(feed.name)
    return {
        row["loan_id"]: (
            (on - date.fromisoformat(row["oldest_due_date"])).days,
            round(sum(float(row[f"overdue_{part}"]) for part in ("principal", "interest", "penalty")), 2),
        )
        for row in rows_of(feed / f"overdue-{feed.name}.csv")
    }


def drawn(settings: Settings, on: str, out: Path) -> dict[str, list[dict[str, Any]]]:
    """The four sheets, a line each, without what stands around them."""
    done = casework(settings, "ledger", "--on", on, "--out", out)
    assert done.code == 0, done.err
    book, sheets = CalamineWorkbook.from_path(out), dict[str, list[dict[str, Any]]]()
    for name in book.sheet_names:
        header, *lines = book.get_sheet_by_name(name).to_python(skip_empty_area=False)[2:]
        whole = [dict(zip(map(str, header), line, strict=True)) for line in lines]
        sheets[name] = [line for line in whole if str(line.get("借据号")).startswith("N")]
    return sheets


@pytest.mark.only("sqlite")
@pytest.mark.skipif(not MINI.is_dir(), reason=f"no contact files at {REAL} (CASEWORK_REAL_FEEDS)")
def test_every_days_ledger_is_as_counted_from_the_files_and_the_same_when_the_days_are_over(
    settings: Settings, rulebook_published: None, tmp_path: Path
) -> None:
    feeds, before = sorted((MINI / "feeds").iterdir()), {}
    for feed in feeds:
        assert casework(settings, "feed", "import", feed, "--confirm-vanished").code == 0
        casework(settings, "contact", "import", MINI / f"calls-{feed.name}.csv")
        for noun, column in (("promise", "made_on"), ("hold", "from")):
            rows = [row for row in rows_of(MINI / f"{noun}s.csv") if row[column][:10] == feed.name]
            if rows:
                casework(settings, noun, "import", file_of(tmp_path, rows))
        assert casework(settings, "sweep", "--date", feed.name).code == 0
        before[feed.name] = drawn(settings, feed.name, tmp_path / "a.xlsx")
    after = {feed.name: drawn(settings, feed.name, tmp_path / "b.xlsx") for feed in feeds}
    faults = [fault for feed in feeds for fault in _against_files(feed, after[feed.name])]
    assert not faults, "\n".join(faults)
    changed = [fault for day in before for fault in _changed(day, before[day], after[day])]
    assert not changed, "\n".join(changed)


def _against_files(feed: Path, sheets: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    expected, on = json.loads((MINI / "expected.json").read_bytes()), date.fromisoformat(feed.name)
    place = (on - date.fromisoformat(expected["from"])).days
    whose, calls, standing = owners(), counted(), arrears(feed)
    broken = {one["contact_ref"] for one in expected["breaches"]}
    in_breach = Counter(
        whose.get(line["借据号"]) for line in sheets["催记明细"] if line["违规"] and line["编号"] in broken
    )
    if {line["编号"] for line in sheets["催记明细"] if line["违规"]} != {
        line["编号"] for line in sheets["催记明细"] if line["编号"] in broken
    }:
        yield f"{on}: breaches differ"
    for line in sheets["催收台账"]:
        loan = line["借据号"]
        counts = calls[whose[loan], on]
        told = expected["loans"].get(loan, {})
        dial, others = (told.get(duty, "." * 99)[place] for duty in ("dial", "dial_contacts"))
        wanted: dict[str, Any] = {
            "实拨": counts["实拨"], "接通": counts["接通"], "未录音数": counts["未录音数"],
            "本人接通": "是" if counts["本人"] else "否", "违规数": in_breach[whose[loan]],
            "应拨": 2 * (dial in "dlo") + (others in "dlo"),
            "逾期天数": standing[loan][0] if loan in standing else 0,
        }  # fmt: skip
        if loan in standing:
            wanted["逾期金额"] = standing[loan][1]
        wanted["失联"] = _lost_on(told, feed.name) or ""
        for name, value in wanted.items():
            if line[name] != value:
                yield f"{on} {loan} {name}: {line[name]!r}, counted {value!r}"
    duties = Counter((line["借据号"], line["状态"]) for line in sheets["未完成及原因"])
    for loan, told in expected["loans"].items():
        late = sum(
            told.get(duty, "." * 99)[place] == "l" for duty in ("dial", "dial_contacts", "visit", "repair", "place")
        )
        if duties[loan, "逾期未办"] != late:
            yield f"{on} {loan}: {duties[loan, '逾期未办']} late, expected {late}"


def _lost_on(told: dict[str, Any], day: str) -> date | None:
    """Since when the case of that day was lost, as known at its close: whom a late row reached was lost then."""
    opened = max((one for one in told.get("opened", ()) if one <= day), default="")
    lost = [one for one in told.get("lost", ()) if opened <= one <= day]
    back = [one for one in told.get("reached", ()) if lost and (lost[-1] <= one < day or lost[-1] < one == day)]
    return date.fromisoformat(lost[-1]) if lost and not back else None


def _changed(day: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """What differs, but for rows that came later and what they count."""
    came = {line["编号"] for line in after["催记明细"]} - {line["编号"] for line in before["催记明细"]}
    theirs = {line["客户（脱敏）"] for line in after["催记明细"] if line["编号"] in came}
    for name in ("催收台账", "无法修复名单", "未完成及原因"):
        old = {(line["借据号"], line.get("任务")): line for line in before[name]}
        new = {(line["借据号"], line.get("任务")): line for line in after[name]}
        if old.keys() != new.keys():
            yield f"{day} {name}: other lines"
        for key in old.keys() & new.keys():
            differing = {column for column in old[key] if old[key][column] != new[key][column]}
            if differing and not (came and old[key]["客户（脱敏）"] in theirs):
                yield f"{day} {name} {key}: {sorted(differing)}"
