"""`casework permissions`: the table of who may do what and is shown what, as people read it."""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from casework.cli.shell import as_json, console, print_json, told
from casework.cli.tables import Table

if TYPE_CHECKING:
    from casework.people.staff.permissions import Permissions
    from casework.rules.statechart.chart import Chart


_MARK, _OWN, _NOT = "●", "○", "·"


@click.command()
@as_json
@click.option("--post", metavar="POST", help="Only this post.")
def cli(json_: bool, post: str | None) -> None:
    """Print the permission table: reach of each post, commands with their routes, events of the chart, personal data.

    It is read from statecharts/rules/permissions.toml and the chart; no database is asked.

    \b
    Examples:
      casework permissions
      casework permissions --post phone_collector
      casework permissions --json
    """
    from casework.settings import Settings
    from casework.work.cases.rulebook import load_rulebook

    with told():
        rulebook = load_rulebook(Settings.from_environment().statecharts)
    permissions, chart = rulebook.permissions, rulebook.chart
    posts = list(permissions.posts) if post is None else [post]
    if post is not None and post not in permissions.posts:
        raise click.BadParameter(f"known are {', '.join(permissions.posts)}", param_hint="--post")
    if json_:
        print_json(_document(permissions, chart, posts))
        return
    _print(permissions, chart, posts)


def _document(permissions: "Permissions", chart: "Chart", posts: list[str]) -> dict[str, Any]:
    """Everything as data; every list of posts holds those asked for."""
    wanted = set(posts)

    def of(named: Iterable[str]) -> list[str]:
        return sorted(wanted.intersection(named))

    return {
        "permissions": permissions.title,
        "digest": permissions.digest,
        "posts": {
            name: {"sees": permissions.posts[name].sees, "acts": permissions.posts[name].acts,
                   "rules": permissions.posts[name].rules}
            for name in posts
        },
        "commands": [
            {"command": row.name, "zh": row.zh, "en": row.en, "scope": row.scope, "everybody": row.everybody,
             "posts": of(row.posts), "routes": row.routes, "rules": row.rules}
            for row in permissions.commands.values()
        ],
        "chart": {
            part: {name: of(one.posts) for name, one in items.items()}
            for part, items in (("events", chart.events), ("facts", chart.facts), ("openings", chart.openings))
        },
        "only_own": {
            part: {name: of(one.only_own) for name, one in items.items() if of(one.only_own)}
            for part, items in (("events", chart.events), ("facts", chart.facts))
        },
        "personal": [
            {"field": row.name, "zh": row.zh, "en": row.en, "clear": of(row.clear), "masked": of(row.masked),
             "reveal": of(row.reveal)}
            for row in permissions.personal.values()
        ],
        "purposes": [
            {"purpose": row.code, "zh": row.zh, "en": row.en, "posts": of(row.posts)}
            for row in permissions.purposes.values()
        ],
        "conflicts": [{"posts": row.posts, "zh": row.zh, "en": row.en} for row in permissions.conflicts],
        "public": sorted(permissions.public),
    }  # fmt: skip


def _print(permissions: "Permissions", chart: "Chart", posts: list[str]) -> None:
    from casework.rules.statechart.chart import Opening

    console.print(f"[bold]{permissions.title}[/bold]  {permissions.digest[:16]}")
    reach = Table("post", "sees", "acts", "rules", box=None)
    for name in posts:
        row = permissions.posts[name]
        reach.add_row(name, row.sees or "nothing", row.acts or "nothing", ", ".join(row.rules))
    console.print(reach)
    commands = {row.name: (row.posts, row.scope, row.en) for row in permissions.commands.values()}
    _grid("command", commands, posts)
    for title, items in (("event", chart.events), ("fact", chart.facts), ("opening", chart.openings)):
        own = {name: one.only_own for name, one in items.items() if not isinstance(one, Opening)}
        _grid(title, {name: (one.posts, "acts", one.en) for name, one in items.items()}, posts, own)
    console.print(f"\n{_OWN}: only cases that they own or handle")
    fields = Table("personal data", *posts, box=None)
    for field in permissions.personal.values():
        fields.add_row(field.name, *(_seen(permissions, field.name, post) for post in posts))
    console.print("\npersonal data: whole, or masked (+ may be shown it for a purpose)")
    console.print(fields)


def _grid(
    title: str, rows: dict[str, tuple[frozenset[str], str, str]], posts: list[str],
    own: Mapping[str, Collection[str]] | None = None,
) -> None:  # fmt: skip
    table = Table(title, "scope", *[str(number) for number in range(1, len(posts) + 1)], "", box=None)
    for name, (allowed, scope, en) in rows.items():
        mark = dict.fromkeys(allowed, _MARK) | dict.fromkeys((own or {}).get(name, ()), _OWN)
        table.add_row(name, scope, *(mark.get(post, _NOT) for post in posts), en)
    console.print()
    console.print("  ".join(f"{number} {post}" for number, post in enumerate(posts, 1)), style="dim")
    console.print(table)


def _seen(permissions: "Permissions", field: str, post: str) -> str:
    row = permissions.personal[field]
    if post in row.clear:
        return "whole"
    if post not in row.masked:
        return _NOT
    return "masked +" if post in row.reveal else "masked"
