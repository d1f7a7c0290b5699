"""`casework task next|move|postpone|add|end|lists|strategy|worklists`: what people do with tasks and lists."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from casework.cli.changing import day
from casework.cli.several import atomic_option, tell_each
from casework.cli.shell import ALL, FOLDED, as_json, as_option, console, permitted, print_json, started
from casework.cli.tables import Table
from casework.cli.taking_out import kind_of, out_option, told_of, write_taken
from casework.clock import now
from casework.instants import branch_text
from casework.money import yuan_text
from casework.table import BulkList

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.people.staff.actor import Actor
    from casework.work.cases.branch import Branch
    from casework.work.tasks.acts import Became, Desk


_who = as_option("staff_no", "Who acts", required=True)
_ids = click.argument("ids", type=click.IntRange(1), nargs=-1, required=True)


@click.command("next")
@_who
@as_json
def next_(staff_no: str, *, json_: bool) -> None:
    """Begin the next task of today that nobody has begun; nobody else gets it.

    \b
    Examples:
      casework task next --as S0103
      casework task next --as S0103 --json
    """
    from casework.operation.morning import make_lists
    from casework.people.staff.actor import system
    from casework.storage.database import writing
    from casework.work.tasks.own import told
    from casework.work.tasks.pulling import take_next
    from casework.work.tasks.words import word_of

    with started() as open_, writing(open_.engine) as conn:
        branch, at = open_.branch, now()
        actor = permitted(conn, branch, staff_no, "task.next")
        make_lists(conn, branch, branch.today(at), system("cli"))
        task = take_next(conn, branch, actor, at)
    zh, en = told(task)
    if json_:
        print_json({**task._asdict(), "why_zh": zh, "why_en": en})
        return
    word = word_of(branch, task)
    console.print(f"{task.id}: {word.zh} {word.en}, {task.loan_id}, {yuan_text(task.overdue_fen)}", markup=False)
    console.print(f"{zh} / {en}", markup=False)


@click.command()
@_ids
@click.option("--to", type=FOLDED, required=True, metavar="STAFF_NO", help="Whose list they go to.")
@click.option("--reason", required=True, metavar="CODE", help="A key of [move_reasons] in rules/tasks.toml.")
@atomic_option
@_who
@as_json
def move(ids: tuple[int, ...], to: str, reason: str, staff_no: str, *, atomic: bool, json_: bool) -> None:
    """Move today's tasks IDS to another list; who gets them is there that day and reaches the cases.

    \b
    Examples:
      casework task move 1207 1208 --to S0104 --reason absence --as S0109
    """
    _acted("task.move", staff_no, lambda desk: desk.move(ids, to=to, reason=reason, atomic=atomic), json_=json_)


@click.command()
@_ids
@click.option("--until", type=day, required=True, metavar="DAY", help="The morning on which they are back.")
@click.option("--reason", required=True, metavar="CODE", help="A key of [postpone_reasons] in rules/tasks.toml.")
@atomic_option
@_who
@as_json
def postpone(
    ids: tuple[int, ...], until: datetime, reason: str, staff_no: str, *, atomic: bool, json_: bool
) -> None:  # fmt: skip
    """Put today's tasks IDS off until a later day; what is owed by rule, and when it is late, stays as it is.

    \b
    Examples:
      casework task postpone 1207 --until 2026-03-12 --reason debtor_asked --as S0103
    """
    _acted(
        "task.change", staff_no, lambda desk: desk.postpone(ids, until=until.date(), reason=reason, atomic=atomic),
        json_=json_,
    )  # fmt: skip


@click.command()
@click.argument("case_ids", type=click.IntRange(1), nargs=-1, required=True)
@click.option("--what", required=True, metavar="CODE", help="A key of [by_hand] in rules/tasks.toml.")
@click.option("--due", type=day, required=True, metavar="DAY", help="By when it is to be done.")
@click.option("--to", type=FOLDED, metavar="STAFF_NO", help="Whose list it goes on (default: one's own).")
@atomic_option
@_who
@as_json
def add(
    case_ids: tuple[int, ...], what: str, due: datetime, to: str | None, staff_no: str, *, atomic: bool, json_: bool
) -> None:  # fmt: skip
    """Add a task of each of CASE_IDS; it stays on lists until it is ended.

    \b
    Examples:
      casework task add 17 18 --what papers --due 2026-03-12 --as S0103
    """
    from casework.work.tasks.acts import Addition

    wanted = [Addition(one, what, due.date(), to) for one in case_ids]
    _acted("task.change", staff_no, lambda desk: desk.add(wanted, atomic=atomic), json_=json_)


@click.command()
@_ids
@atomic_option
@_who
@as_json
def end(ids: tuple[int, ...], staff_no: str, *, atomic: bool, json_: bool) -> None:
    """End tasks that were added; every other task ends by what happens.

    \b
    Examples:
      casework task end 1307 --as S0103
    """
    _acted("task.change", staff_no, lambda desk: desk.finish(ids, atomic=atomic), json_=json_)


@click.command()
@click.option("--on", type=day, required=True, metavar="DAY", help="Whose morning, YYYY-MM-DD.")
@click.option("--team", metavar="TEAM", help="Only those of this team's members, by its code or name.")
@as_option("staff_no", "Act as this member of staff")
@as_json
def lists(on: datetime, team: str | None, staff_no: str | None, *, json_: bool) -> None:
    """Whose lists there were on the morning of DAY, how many tasks are on them, and who has taken theirs.

    \b
    Examples:
      casework task lists --on 2026-03-10
      casework task lists --on 2026-03-10 --team 电催一组
      casework task lists --on 2026-03-10 --json
    """
    from casework.evidence.ledger.people import members_of, teams_then
    from casework.storage.database import reading
    from casework.work.tasks.own import states

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        permitted(conn, open_.branch, staff_no, "task.lists")
        zone, today = open_.branch.time_zone, open_.branch.today(now())
        teams = teams_then(conn, on.date(), today).teams
        members = None if team is None else members_of(conn, team, on.date(), today)
        found = [one for one in states(conn, on.date()) if members is None or one.list_of in members]
    if json_:
        print_json([{**one._asdict(), "team": teams.get(one.list_of)} for one in found])
        return
    table = Table("who", "team", "tasks", "held back", "list taken")
    for one in found:
        taken = branch_text(one.taken_at, zone, "minutes") if one.taken_at else ""
        taken += " late 迟领" if one.late and taken else ""
        table.add_row(one.list_of, teams.get(one.list_of) or "", f"{one.tasks:,}", f"{one.held_back:,}", taken)
    console.print(table)


@click.command()
@click.argument("case_ids", type=click.IntRange(1), nargs=-1, required=True)
@click.option("--strategy", required=True, metavar="CODE", help="repair, phone, visit or judicial.")
@atomic_option
@_who
@as_json
def strategy(case_ids: tuple[int, ...], strategy: str, staff_no: str, *, atomic: bool, json_: bool) -> None:
    """Start a strategy for CASE_IDS today; refused where the case's state does not allow it (rules/tasks.toml).

    \b
    Examples:
      casework task strategy 17 18 --strategy visit --as S0103
    """
    from casework.storage.database import writing
    from casework.work.tasks.strategies import COMMAND as STRATEGY
    from casework.work.tasks.strategies import start

    with started() as open_, writing(open_.engine) as conn:
        actor = permitted(conn, open_.branch, staff_no, STRATEGY)
        became = start(conn, open_.branch, actor, case_ids, strategy, now(), atomic=atomic)
    _tell(became, json_=json_)


@click.command("worklists")
@click.option("--list", "name", metavar="NAME", help="The cases of this one: phone, agency, legal, visit.")
@as_option("staff_no", "Act as this member of staff")
@out_option("Write it, to be sent on, an entry, with --list, into")
@as_json
def worklists(name: str | None, staff_no: str | None, out: Path | None, *, json_: bool) -> None:
    """Count the four lists of today (电催, 委催, 法催, 下户), or list one, all of it.

    \b
    Examples:
      casework task worklists
      casework task worklists --list visit --json
      casework task worklists --list visit --out 下户-2026-03-10.xlsx --as S0109
    """
    from casework.people.staff.permissions import EVERYTHING
    from casework.storage.database import reading, writing
    from casework.work.tasks.strategies import counted, lines_of
    from casework.work.tasks.table import four_list, lines_of_cases

    if out is not None and name is None:
        raise click.UsageError("--out needs --list")
    with started() as open_, writing(open_.engine) if out else reading(open_.engine, snapshot=True) as conn:
        branch, on = open_.branch, open_.branch.today(now())
        actor = permitted(conn, branch, staff_no, "work_list.read")
        if name is None:
            counts = counted(conn, branch, on, to=ALL)
            _tell_counts(branch, {code: one.cases for code, one in counts.items()}, json_=json_)
            return
        reach = branch.rulebook.permissions.within(actor, "work_list.read", branch.rulebook.policies.at(on))
        found = lines_of(conn, branch, name, on, limit=_MOST_LINES, reach=EVERYTHING if staff_no is None else reach)
        if out is not None:
            lines = lines_of_cases(branch, found, "zh")
            asked = {"list": "work-lists", "name": name, "on": str(on)}
            _take_out(conn, branch, actor, four_list(branch, name), lines, out, asked, "cases 案件")
            return
    if json_:
        print_json(found)
        return
    table = Table("case", "loan", "state", "bucket", "overdue", "handler", "strategy")
    for one in found:
        table.add_row(
            str(one.id), one.loan_id, one.state, one.bucket, yuan_text(one.overdue_fen), one.handler,
            one.strategy or "",
        )  # fmt: skip
    console.print(table)


_MOST_LINES = 1_000_000


def _tell_counts(branch: "Branch", counts: dict[str, int], *, json_: bool) -> None:
    if json_:
        print_json(counts)
        return
    table = Table("list", "cases")
    for name, number in counts.items():
        table.add_row(f"{name} {branch.rulebook.tasks.lists[name].zh}", f"{number:,}")
    console.print(table)


@click.command()
@click.option("--on", type=day, required=True, metavar="DAY", help="Whose morning; a past day's as it was handed out.")
@click.option("--list", "whose", type=FOLDED, metavar="WHO", help="One list, of a person or a post (default: all).")
@out_option("Write them into", required=True)
@as_option("staff_no", "Act as this member of staff")
def export(on: datetime, whose: str | None, out: Path, staff_no: str | None) -> None:
    """Write the lists of DAY into a file, an entry each time; no personal data is on them.

    \b
    Examples:
      casework task export --on 2026-03-10 --out lists.xlsx --as S0109
      casework task export --on 2026-03-10 --list S0103 --out S0103.csv
    """
    from casework.storage.database import writing
    from casework.work.tasks.own import list_of, states
    from casework.work.tasks.table import TASK_LISTS, lines_of_list

    with started() as open_, writing(open_.engine) as conn:
        branch, past = open_.branch, on.date() < open_.branch.today(now())
        actor = permitted(conn, branch, staff_no, "task.lists")
        names = [whose] if whose else [one.list_of for one in states(conn, on.date())]
        found = [one for name in names for one in list_of(conn, on.date(), name, handed_out=past)]
        lines = [
            line for name in names
            for line in lines_of_list(branch, (one for one in found if one.list_of == name), "zh")
        ]  # fmt: skip
        asked = {"list": TASK_LISTS.name, "on": str(on.date()), "whose": whose}
        _take_out(conn, branch, actor, TASK_LISTS, lines, out, asked, "tasks 项任务")


def _take_out(
    conn: "Connection", branch: "Branch", actor: "Actor", listed: BulkList, lines: Iterable[Sequence[Any]], out: Path,
    asked: dict[str, Any], what: str,
) -> None:  # fmt: skip
    """The file, and the entry that it was taken out."""
    from casework.work.cases.taking_out import file_of_list, taker_of

    taken = file_of_list(listed, lines, kind_of(out), "zh", asked, taker_of(conn, branch, actor, now()))
    file = write_taken(conn, branch, actor, taken, out)
    console.print(told_of(taken, file, what), markup=False)


def _acted(command: str, staff_no: str, act: "Callable[[Desk], Sequence[Became]]", *, json_: bool) -> None:
    """A line for each: done, or why not; exit code 1 if something was not."""
    from casework.operation.morning import make_lists
    from casework.people.staff.actor import system
    from casework.storage.database import writing
    from casework.work.tasks.acts import Desk

    with started() as open_, writing(open_.engine) as conn:
        branch, at = open_.branch, now()
        actor = permitted(conn, branch, staff_no, command)
        make_lists(conn, branch, branch.today(at), system("cli"))
        desk = Desk(conn, branch, actor, at)
        became = act(desk)
        desk.close()
    _tell(became, json_=json_)


def _tell(became: "Sequence[Became]", *, json_: bool) -> None:
    results = [
        {
            "task_id": one.task_id, "outcome": one.refused.code if one.refused else "done",
            "zh": one.refused.zh if one.refused else None, "en": str(one.refused) if one.refused else None,
        }
        for one in became
    ]  # fmt: skip
    tell_each("", results, lambda _: "done 已办理", by="task_id", json_=json_)


COMMANDS = (next_, move, postpone, add, end, lists, strategy, worklists, export)
