"""`casework chart`: check charts before they are published, draw them, show what they say."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from casework.cli import chart_diff, chart_moves
from casework.cli.changing import day
from casework.cli.chart_json import chart_json, event_json, guard_text, policy_json
from casework.cli.shell import as_json, console, print_json, told
from casework.cli.tables import Table
from casework.errors import CallerError, RulesBroken
from casework.rules.statechart.draw import LANGUAGES
from casework.work.cases.noun import CASE_CHART

if TYPE_CHECKING:
    from casework.rules.statechart.chart import Chart
    from casework.rules.statechart.policy import Policies, Policy


_lang = click.option("--lang", type=click.Choice(LANGUAGES), default="zh", show_default=True, help="Labels.")


@click.group()
def cli() -> None:
    """Check, draw and show the statecharts and the branch's policies.

    \b
    Examples:
      casework chart check
      casework chart show --state lost_contact
      casework chart draw --format svg -o overdue_loan.svg
    """


cli.add_command(chart_moves.cli)
cli.add_command(chart_diff.diff)


@cli.command()
@click.argument("place", required=False, type=click.Path(exists=True, path_type=Path))
@as_json
def check(place: Path | None, json_: bool) -> None:
    """Check a chart FILE, or a FOLDER of charts with its policies.

    Exit code 0: sound; 1: broken, with file, key and reason on each line.
    A single file is checked against the policies beside it, or else against those in use.

    \b
    Examples:
      casework chart check
      casework chart check statecharts/overdue_loan.toml
    """
    from casework.settings import Settings

    folder = Settings.from_environment().statecharts
    place = place or folder
    home = place if place.is_dir() else place.parent if (place.parent / "policy").is_dir() else folder
    files = sorted(place.glob("*.toml")) if place.is_dir() else [place]
    faults, sound = _check(home, [file for file in files if file.name != "outside_law.toml"])
    if json_:
        print_json({"sound": not faults, "charts": sound, "faults": faults})
    for fault in () if json_ else faults:
        click.echo(fault, err=True)
    for name in () if json_ or faults else sound:
        click.echo(name)
    sys.exit(1 if faults else 0)


def _check(home: Path, files: list[Path]) -> tuple[list[str], list[str]]:
    from casework.lifecycle.laws import faults_between
    from casework.people.staff.posts import known_posts
    from casework.rules.statechart.parse import load_chart
    from casework.rules.statechart.policy import load_policies
    from casework.work.cases.nouns import NOUNS
    from casework.work.cases.rulebook import registry_of
    from casework.work.requests import REQUEST
    from casework.work.topics import faults_of
    from casework.work.visits.noun import VISIT
    from casework.work.visits.proof import verdict_faults

    try:
        policies = load_policies(home)
    except RulesBroken as broken:
        return broken.faults, []
    faults: list[str] = []
    sound = []
    charts: dict[str, Chart] = {}
    for file in files:
        try:
            chart = load_chart(file, registry_of(file.stem), policies)
        except RulesBroken as broken:
            faults += broken.faults
        else:
            charts[chart.name] = chart
            arcs = sum(len(event.arcs) for event in chart.events.values())
            sound.append(f"{chart.ref}: {len(chart.states)} states, {len(chart.events)} events, {arcs} arcs")
    if CASE_CHART in charts:
        faults += faults_between([noun for noun in NOUNS if noun.chart in charts], charts)
        if REQUEST.chart in charts:
            faults += faults_of(charts[REQUEST.chart], charts.values(), policies, known_posts(charts[CASE_CHART]))
    if VISIT.chart in charts:
        faults += verdict_faults(charts[VISIT.chart], policies)
    if not files:
        faults.append(f"{home.name}: no chart here")
    return faults, sound


@cli.command()
@click.argument("name", default=CASE_CHART)
@click.option("--format", "form", type=click.Choice(["mermaid", "svg"]), default="mermaid", show_default=True)
@_lang
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
def draw(name: str, form: str, lang: str, output: Path | None) -> None:
    """Draw the chart NAME (default: overdue_loan) as Mermaid text or SVG.

    \b
    Examples:
      casework chart draw
      casework chart draw --format svg --lang en -o overdue_loan.svg
    """
    from casework.rules.statechart.draw import mermaid, svg

    with told():
        chart, policies = _loaded(name)
        chart = chart.told_with(policies.all[-1])
        text = mermaid(chart, lang) if form == "mermaid" else svg(chart, lang)
        if output is None:
            click.echo(text, nl=False)
            return
        from casework.cli.ledger import write_out  # most who draw write no file

        write_out(output, text.encode())


@cli.command()
@click.argument("name", default=CASE_CHART)
@click.option("--event", metavar="EVENT", help="Only this event, with its data and guards in full.")
@click.option("--state", metavar="STATE", help="Only what can happen in this state.")
@click.option("--policy", "policy_", is_flag=True, help="The branch's figures in force, with their sources.")
@click.option("--on", type=day, help="Figures as in force on this day.  [default: latest]")
@_lang
@as_json
def show(name: str, event: str | None, state: str | None, policy_: bool, on: Any, lang: str, json_: bool) -> None:
    """Show the chart NAME (default: overdue_loan): events, posts, ways, guards with their figures, rules.

    \b
    Examples:
      casework chart show
      casework chart show --event mark_lost
      casework chart show --state settled --lang en
      casework chart show --policy --json
    """
    with told():
        chart, policies = _loaded(name)
        policy = policies.at(on.date()) if on else policies.all[-1]
        _known("event", event, chart.events)
        _known("state", state, chart.states)
        if policy_:
            print_json(policy_json(policy)) if json_ else _show_policy(policy, lang)
        elif event:
            document = event_json(chart.events[event], policy)
            print_json(document) if json_ else _show_event(document, lang)
        else:
            document = chart_json(chart, policy, state)
            print_json(document) if json_ else _show_chart(chart, document, lang)


def _loaded(name: str) -> "tuple[Chart, Policies]":
    from casework.rules.statechart.parse import load_chart
    from casework.rules.statechart.policy import load_policies
    from casework.settings import Settings
    from casework.work.cases.rulebook import registry_of

    folder = Settings.from_environment().statecharts
    policies = load_policies(folder)
    file = folder / f"{name}.toml"
    known = {path.stem for path in folder.glob("*.toml")} - {"outside_law"}
    _known("chart", name, known)
    return load_chart(file, registry_of(file.stem), policies), policies


def _known(what: str, name: str | None, known: Iterable[str]) -> None:
    names = sorted(known)
    if name is not None and name not in names:
        raise CallerError(
            f"unknown_{what}", f"未知的{_WHAT[what]}，可选：{'、'.join(names)}",
            f"there is no such {what}; known: {', '.join(names)}",
        )  # fmt: skip


_WHAT = {"event": "事件", "state": "状态", "chart": "状态图"}


def _show_chart(chart: "Chart", document: dict[str, Any], lang: str) -> None:
    console.print(f"[bold]{document[lang]}[/bold]  {document['title']}", f"[dim]sha256 {chart.digest}[/dim]", sep="\n")
    for event in document["events"]:
        console.print()
        _show_heading(event, lang)
        for ways, guards in _ways(event).items():
            console.print(f"  {ways}", *[f"[dim]·[/dim] {guard}" for guard in guards], sep="\n    ", soft_wrap=True)
    if document["topics"]:
        console.print(_topics(document["topics"], lang))


def _topics(topics: list[dict[str, Any]], lang: str) -> Table:
    table = Table("topic", "", "asked for by", "reviewed by", "approved by", "people", show_lines=False)
    for topic in topics:
        posts = (", ".join(topic[part]) for part in ("proposed_by", "reviewed_by", "approved_by"))
        table.add_row(topic["topic"], topic[lang], *posts, str(topic["people"]))
    return table


def _ways(event: dict[str, Any]) -> dict[str, list[str]]:
    """Sources that lead to the same place under the same guards, on one line."""
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for arc in event["arcs"]:
        staying = [branch["to"] for branch in arc["branches"]] == [arc["from"]]
        ends = "same" if staying else _ends(arc)
        alike.setdefault((ends, tuple(map(guard_text, arc["guards"]))), []).append(arc["from"])
    return {f"{', '.join(sources)} → {ends}": list(guards) for (ends, guards), sources in alike.items()}


def _show_heading(event: dict[str, Any], lang: str) -> None:
    console.print(f"[bold]{event['event']}[/bold]  {event[lang]}  [dim]rules {', '.join(event['rules'])}[/dim]")
    console.print(f"  [dim]posts:[/dim] {', '.join(event['posts'])}")
    if event["four_eyes"]:
        console.print(f"  [dim]four eyes:[/dim] {event['four_eyes']} (casework chart show request)")


def _show_event(document: dict[str, Any], lang: str) -> None:
    _show_heading(document, lang)
    for field in document["data"]:
        codes = ", ".join(f"{code} ({words[lang]})" for code, words in field["one_of"].items())
        needed = ", optional" if field["optional"] else ""
        said = field[lang] if field["hint"] is None else f"{field[lang]} ({field['hint'][lang]})"
        console.print(f"  [dim]data:[/dim] {field['field']}: {field['type']}{needed}, {said}", soft_wrap=True)
        if codes:
            console.print(f"        {codes}", soft_wrap=True)
    for use in document["flags"]:
        console.print(f"  [dim]flag:[/dim] {guard_text(use)}  [dim]{', '.join(use['rules'])}: {use[lang]}[/dim]")
    for arc in document["arcs"]:
        console.print(f"\n  {arc['from']} → {_ends(arc)}", soft_wrap=True)
        for use in arc["guards"]:
            console.print(f"    [dim]·[/dim] {guard_text(use)}  [dim]{', '.join(use['rules'])}[/dim]")
            console.print(f"      [dim]{use[lang]}[/dim]")


def _ends(arc: dict[str, Any]) -> str:
    ends = []
    for branch in arc["branches"]:
        when = ", ".join(guard_text(use) for use in branch["when"])
        ends.append(f"{branch['to']} if {when}" if when else str(branch["to"]))
    return ", else ".join(ends)


def _show_policy(policy: "Policy", lang: str) -> None:
    document = policy_json(policy)
    console.print(f"[bold]policy {document['policy']}[/bold]", f"[dim]sha256 {document['digest']}[/dim]", sep="\n")
    table = Table("figure", "means", "value", "why", show_lines=False)
    for column in table.columns:
        column.overflow = "fold"
    table.columns[0].no_wrap = True
    for figure in document["figures"]:
        value = "[dim]empty[/dim]" if figure["value"] is None else f"{_value(figure['value'])} {figure['unit']}"
        why = [", ".join(figure["rules"]), figure["source"], figure["empty_because"]]
        mark = f" ({figure['mark']})" if figure["mark"] else ""
        table.add_row(figure["figure"], figure[lang], value, "; ".join(filter(None, why)) + mark)
    console.print(table)


def _value(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    return ", ".join(_row(item) if isinstance(item, dict) else str(item) for item in value)


def _row(row: Mapping[str, Any]) -> str:
    if "floor" in row:
        return f"{row['from_dpd']}+ {'/'.join((row['floor'], *row.get('also', ())))}"
    if "post" in row:
        return f"{row['post']} {row['cases']:,}"
    if "posts" in row:
        return f"{row['state']}: {', '.join(row['posts'])}"
    if "product" in row:
        return " ".join(f"{key} {value}" if key != "product" else f"{value}:" for key, value in row.items())
    if "name" in row:
        return str(row["name"])
    return " ".join(f"{key} {_value(each)}" for key, each in row.items())
