"""A dossier for people: the history of its case, what is shown, what is not, what is wrong."""

from datetime import datetime
from typing import TYPE_CHECKING

from rich.text import Text

from casework.cli.log_report import VERDICTS
from casework.cli.shell import console
from casework.cli.tables import Table
from casework.instants import branch_text

if TYPE_CHECKING:
    from casework.log.check.dossier import Shown
    from casework.log.format.case_heads import Statement
    from casework.log.format.checkpoint import Checkpoint
    from casework.log.format.entry import Entry

_SHOWN = 50


def report(shown: "Shown") -> None:
    """Everything; the history only where nothing is wrong: what is not proven must not look as if it were."""
    from casework.log.check.findings import TRUST_TEXTS

    if shown.report.verdict == "sound":
        console.print(_history(shown))
    console.print(f"verdict 结论: {VERDICTS[shown.report.verdict]}")
    if shown.report.verdict == "sound" and shown.statement is not None and shown.checkpoint is not None:
        _tell(shown, shown.checkpoint, shown.statement)
    console.print(f"trust 可信程度: {TRUST_TEXTS[shown.report.trust][1]} ({TRUST_TEXTS[shown.report.trust][0]})")
    for title, found in (("findings 发现", shown.report.findings), ("in doubt 存疑", shown.report.doubts)):
        if found:
            table = Table("code", "stream", "seq", "what 说明", "detail", title=title, title_justify="left")
            for one in found[:_SHOWN]:
                detail = " ".join(f"{key}={value}" for key, value in one.detail.items())
                cells = (one.code, one.stream or "", str(one.stream_seq or ""), f"{one.en}\n{one.zh}", detail)
                table.add_row(*(Text(_plain(cell, "\n")) for cell in cells))
            console.print(table)


def _tell(shown: "Shown", signed: "Checkpoint", stated: "Statement") -> None:
    complete, later = len(shown.complete), len(shown.later)
    _line(f"log 日志: {_plain(signed.origin)}, {signed.size:,} leaves, signed 已签署")
    _line(
        f"shown 已证明: these {complete:,} entries are in the log, and are all that case {shown.case} had in its first"
        f" {stated.size:,} leaves, as the log itself stated on {stated.day}"
    )
    _line(
        f"  所列 {complete:,} 条分录均在日志中，且为日志于 {stated.day} 声明时 (前 {stated.size:,} 叶) 该案件的全部分录"
    )
    if later:
        _line(f"later 其后: {later:,} entries after that are in the log too; that they are all is not shown")
        _line(f"  其后 {later:,} 条亦在日志中，但未证明其后再无分录")
    if shown.list_acts:
        acts = len(shown.list_acts)
        _line(f"lists 清单: {acts:,} acts on tasks about it are in the log too; that they are all is not shown")
        _line(f"  对其任务的 {acts:,} 项操作亦在日志中，但未证明仅有这些")
    _line("not shown 未证明: that the statement was true (whoever has the whole log checks it); acts never recorded;")
    _line("  anything at all if the verifier key came with the dossier: then it is self-consistent only")
    _line("  声明本身是否属实 (须以完整日志核对)；从未记录的行为；若公钥与档案同源，则仅自身一致")


def _line(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


def _history(shown: "Shown") -> Table:
    table = Table("No.", "Recorded", "What", "By", "From → to", "Rules", "Complete", box=None)
    table.title, table.title_justify = f"case {shown.case}", "left"
    for entries, mark in ((shown.complete, "yes 是"), (shown.later, "later 其后"), (shown.list_acts, "lists 清单")):
        for entry in entries:
            moved = f"{entry.from_ or ''} → {entry.to}" if entry.to and entry.from_ != entry.to else ""
            cells = (
                str(entry.stream_seq), _recorded(entry), _what(entry, shown),
                f"{entry.actor.id} ({entry.actor.via})", moved, " ".join(entry.rules), mark,
            )  # fmt: skip
            table.add_row(*map(Text, cells))
    return table


def _recorded(entry: "Entry") -> str:
    """A dossier does not say the branch's zone: as the log has it, with its offset."""
    return branch_text(datetime.fromisoformat(entry.recorded_at), "UTC")


def _what(entry: "Entry", shown: "Shown") -> str:
    lines = [entry.event, *([entry.reason_code] if entry.reason_code else [])]
    for name in sorted(entry.personal):
        opened = shown.opened.get((entry.stream_seq, name))
        lines.append(f"{name}: {_plain(opened) if opened is not None else '(sealed 已封)'}")
    return "\n".join(lines)


def _plain(text: str, kept: str = "") -> str:
    """Nothing of a dossier may move the cursor or colour the screen."""
    return "".join(sign if sign.isprintable() or sign in kept else "\ufffd" for sign in text)
