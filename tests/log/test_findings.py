"""Every finding can be printed, whatever its details hold, and both reports of a verification say the same."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy.sql.elements import quoted_name

from casework.cli import log_report, shell
from casework.errors import CallerError
from casework.evidence.witness import folder
from casework.log.check import findings
from casework.log.check.finding_texts import TEXTS
from casework.log.check.findings import EXIT_CODES, Report
from casework.log.check.told import plain
from casework.log.format.checkpoint import WitnessKey
from casework.log.write import signer, witnesses
from casework.screen import in_json, on_screen

Odd = Enum("Odd", {"ONE": "one"})
Number = IntEnum("Number", {"TWO": 2})
ODD: Mapping[str, Any] = {
    "table": quoted_name("staff", None), "day": date(2026, 1, 2), "at": datetime(2026, 1, 2, tzinfo=UTC),
    "kind": Odd.ONE, "number": Number.TWO, "raw": b"\xff\x00", "several": {"b", "a"},
    "pair": (1, quoted_name("x", None)), "half": "\ud800", "nan": float("nan"), "large": 2**70,
    "nested": {1: [b"\x01"]}, "thing": object(), "none": None, "long": "x" * 10_000, "yes": True,
}  # fmt: skip
"""What rows, columns and drivers may hand over, or somebody put into a database that holds no column to its type."""


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Console:
    console = Console(record=True, width=400, highlight=False, quiet=False)
    monkeypatch.setattr(log_report, "console", console)
    return console


def reported(report: Report, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What `--json` prints."""
    capsys.readouterr()
    shell.print_json(report.as_json())
    read: dict[str, Any] = json.loads(capsys.readouterr().out)
    return read


@pytest.mark.parametrize("code", sorted(TEXTS))
def test_every_finding_and_every_doubt_is_printed_by_both_reports_with_any_detail(
    code: str, screen: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report(entries=1)
    report.find(code, quoted_name("staff:S1", None), 7, **ODD)
    report.doubt(code, **ODD)
    told = reported(report, capsys)
    assert (told["verdict"], EXIT_CODES[report.verdict]) == ("tampered", 1)
    for found in (told["findings"][0], told["doubts"][0]):
        assert (found["code"], found["zh"], found["en"]) == (code, *TEXTS[code])
        assert found["detail"].keys() == ODD.keys()
    assert (told["findings"][0]["stream"], told["findings"][0]["stream_seq"]) == ("staff:S1", 7)
    log_report.print_report(report.as_json())
    assert screen.export_text().count(code) == 2


def test_a_detail_keeps_what_json_can_say_and_is_short_and_plain_where_it_cannot() -> None:
    told = plain(ODD)
    assert told == {
        "table": "staff", "day": "2026-01-02", "at": "2026-01-02T00:00:00+00:00", "kind": "one", "number": 2,
        "raw": "0xff00", "several": ["a", "b"], "pair": [1, "x"], "half": "\\ud800", "nan": "nan", "large": hex(2**70),
        "nested": {"1": ["0x01"]}, "thing": "object", "none": None, "long": "x" * 400 + "…", "yes": True,
    }  # fmt: skip
    assert {type(told[name]) for name in ("table", "kind", "half")} == {str}
    assert plain({"columns": ["a"], "log": 1}) == {"columns": ["a"], "log": 1}


def test_many_doubts_are_counted_and_only_the_first_are_kept() -> None:
    report = Report()
    for number in range(20_000):
        report.doubt("file_missing", path=f"tile/entries/{number}")
    report.doubt("file_missing", path="tile/entries/1")
    assert (len(report.doubts), report.doubts_in_all) == (findings.KEPT, 20_001)
    part = Report(entries=1)
    part.doubt("tree_not_built")
    part.doubt("tree_not_built")
    whole = Report(entries=1)
    whole.doubt("tree_not_built")
    whole.absorb(part)
    assert (len(whole.doubts), whole.doubts_in_all, whole.verdict) == (1, 1, "cannot_tell")


def test_a_code_that_comes_after_a_thousand_of_another_is_kept_all_the_same() -> None:
    report, part = Report(entries=1), Report(entries=1)
    for number in range(1_500):
        report.find("body_changed", "case:1", number)
        report.doubt("file_missing", path=str(number))
    report.find("row_differs")
    report.doubt("tree_not_built")
    part.find("stream_hole")
    report.absorb(part)
    assert report.findings_in_all == 1_502
    assert [one.code for one in report.findings[-2:]] == ["row_differs", "stream_hole"]
    assert report.doubts[-1].code == "tree_not_built"
    assert (len(report.findings), len(report.doubts)) == (findings.KEPT + 2, findings.KEPT + 1)


HOSTILE = "log\x1b[2J\u202eexample\u2066\u2028\u200b\u3164/\x85branch\x7f\U000e0041"


def test_names_of_others_are_shown_with_what_would_move_or_turn_text_written_out(
    screen: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report(entries=1)
    report.scope = {"kind": "period", "origin": HOSTILE, "size": 9, "begin": 0, "end": 9, "made_at": HOSTILE}
    report.witnessed.append({"witness": HOSTILE, "size": 1, "at": HOSTILE})
    report.find("body_changed", HOSTILE, 1, path=HOSTILE)
    told = reported(report, capsys)
    assert told["scope"]["origin"] == HOSTILE  # it means what it meant
    shell.print_json(report.as_json())
    log_report.print_report(report.as_json())
    for shown in (capsys.readouterr().out, screen.export_text()):
        assert not {sign for sign in HOSTILE if sign not in "logexampl/branch[2J"} & set(shown)
        assert "202e" in shown


def test_times_are_told_in_the_branchs_zone_and_a_bundles_in_utc(screen: Console) -> None:
    report = Report(entries=1, first_recorded_at="2026-03-01T16:00:00.5Z", last_recorded_at="2026-03-02T01:00:00Z")
    log_report.print_report(report.as_json(), "Asia/Shanghai")
    assert "2026-03-02 00:00:00 +08:00 – 2026-03-02 09:00:00 +08:00" in screen.export_text()
    log_report.print_report(report.as_json())
    assert "2026-03-01 16:00:00 +00:00 – 2026-03-02 01:00:00 +00:00" in screen.export_text()


@pytest.mark.parametrize("text", ["bank.example/loans/wuhan", "某行/武汉分行", "", "a b", "é"])
def test_ordinary_names_are_shown_as_they_are(text: str) -> None:
    assert (on_screen(text), in_json(f'"{text}"')) == (text, f'"{text}"')


@pytest.mark.parametrize("sign", ["\u202e", "\u2066", "\u200b", "\u3164", "\ufeff"])
def test_no_log_and_no_witness_gets_a_name_with_what_is_not_seen(sign: str, tmp_path: Path) -> None:
    name = f"bank.example/{sign}wuhan"
    for refused, code in (
        (lambda: signer.new_key(name), "origin_malformed"),
        (lambda: witnesses.parse_key(WitnessKey(name, bytes(32)).text), "witness_key_malformed"),
        (lambda: folder.make(tmp_path, name), "witness_name_malformed"),
    ):
        with pytest.raises(CallerError) as caught:
            refused()
        assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_a_name_in_chinese_is_a_name(tmp_path: Path) -> None:
    assert signer.new_key("某行/武汉分行").signer.name == "某行/武汉分行"
    assert witnesses.parse_key(folder.make(tmp_path, "审计部").key.text).name == "审计部"
