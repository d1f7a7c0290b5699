"""The report of a verification for people, made of the document that machines get: neither can say less."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from rich.text import Text

from casework.cli.shell import console
from casework.cli.tables import Table
from casework.instants import branch_text
from casework.screen import on_screen

_SHOWN: Final = 50
VERDICTS: Final = {
    "sound": "[green]sound 完好[/]", "tampered": "[red]tampered 被改动[/]",
    "cannot_tell": "[yellow]cannot tell 无法判断[/]",
}  # fmt: skip


def print_report(told: Mapping[str, Any], zone: str = "UTC") -> None:
    """`told`: a report `as_json`; times in `zone`, the branch's where that is known.

    Verdict, trust, what was checked, what was found.
    """
    checked = told["checked"]
    console.print(f"verdict 结论: {VERDICTS[told['verdict']]}")
    if told["scope"] is not None:
        _print_scope(told["scope"], told["streams_continued"], zone)
    console.print(f"trust 可信程度: {told['trust_en']} ({told['trust_zh']})")
    for seen in told["witnessed"]:
        _line(f"witnessed 见证: {seen['size']:,} leaves by {seen['witness']} at {_when(seen['at'], zone)}")
    rate = f", {checked['entries_per_second']:,} entries/s" if checked["entries_per_second"] is not None else ""
    _line(
        f"checked 已核对: {checked['entries']:,} entries in {checked['streams']:,} streams, {checked['cases']:,} cases"
        f" ({checked['replayed_steps']:,} steps, {checked['replayed_facts']:,} facts,"
        f" {checked['replayed_refusals']:,} refusals replayed), {checked['openings']:,}"
        f" openings, {checked['texts']:,} texts, {checked['rows']:,} rows of the books,"
        f" {checked['kept_files']:,} files of past loans;"
        f" {checked['leaves']:,} leaves, {checked['checkpoints']:,} checkpoints,"
        f" {checked['cosignatures']:,} cosignatures;"
        f" {checked['seconds']:.2f} s{rate}"
    )
    if checked["cases_not_replayed"]:
        _line(f"not replayed 未重放: {checked['cases_not_replayed']:,} cases (see findings)")
    if checked["days_by_hand"]:
        _line(
            f"by hand 另有依据: {checked['days_by_hand']:,} days told of contacts rest on other evidence than their log"
        )
    if checked["first_recorded_at"]:
        first, last = (_when(checked[f"{which}_recorded_at"], zone) for which in ("first", "last"))
        _line(f"recorded 记录时间: {first} – {last}")
    if not checked["entries"]:
        console.print("nothing to check: the log is empty 日志为空")
    _print_found("findings 发现", told["findings"], told["findings_in_all"])
    _print_found("in doubt 存疑", told["doubts"], told["doubts_in_all"])


def _print_found(title: str, found: list[Mapping[str, Any]], in_all: int) -> None:
    if not found:
        return
    table = Table("code", "stream", "seq", "what 说明", "detail", title=title, title_justify="left")
    for one in found[:_SHOWN]:
        cells = (one["code"], one["stream"], one["stream_seq"], f"{one['en']}\n{one['zh']}", brief(one["detail"]))
        table.add_row(*(Text("" if cell is None else on_screen(str(cell), kept="\n")) for cell in cells))
    console.print(table)
    if in_all > min(len(found), _SHOWN):
        _line(f"{title}: {in_all:,} in all; --json has the first {len(found):,}")


def _print_scope(scope: Mapping[str, Any], continued: int, zone: str) -> None:
    """What a bundle is about, so that nobody takes a part for the whole."""
    _line(f"log 日志: {scope['origin']}, {scope['size']:,} leaves, exported {_when(scope['made_at'], zone)}")
    if scope["kind"] == "case":
        _line(f"only 仅: case {scope['case']}; casework case verify-dossier tells it in full")
    elif scope["kind"] != "whole":
        _line(
            f"only 仅: leaves {scope['begin']:,} to {scope['end']:,}; nothing is said of entries outside, and"
            f" {continued:,} streams go on from before it / 不涉及范围之外的分录"
        )


def brief(data: Mapping[str, Any]) -> str:
    """Details in one line."""
    return " ".join(f"{key}={_value(value)}" for key, value in data.items())


def _value(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _when(at: str, zone: str) -> str:
    try:
        return branch_text(datetime.fromisoformat(at), zone)
    except ValueError:  # what others wrote
        return at


def _line(text: str) -> None:
    console.print(on_screen(text), markup=False)
