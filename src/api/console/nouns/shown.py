"""A subject of any noun as pages show it: its columns with the words of its chart, its state, its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy.engine import Connection

from api.console.cases.timeline import value_of, word_of
from api.console.frame import shown, words
from casework.lifecycle.kept import Kept
from casework.lifecycle.subject import HEAD
from casework.lifecycles import LIFECYCLES
from casework.people.staff.actor import Actor
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.fields import Field
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case
from casework.work.cases.export import fields_in, labels_of, words_in
from casework.work.cases.filter import BusinessDates
from casework.work.cases.options import OpeningOffer
from casework.work.cases.shown import ShownWanted, openings_of, page_of
from casework.work.cases.sight import reach_of

NOUNS: Final = LIFECYCLES[1:]
PLURAL: Final = {noun.word: noun.table.name for noun in NOUNS}
_OWN: Final = frozenset({*HEAD, "id", "chart", "state", "live", "version", "parent_id"})
_LAST: Final = frozenset({"state_since", "opened_on", "opened_for", "opened_by", "institution", "borrower_id"})
"""How it was entered; after what it says."""
_MOST: Final = 50
_BESIDE: Final = 6
"""Columns of a list; the page of each has all."""


@dataclass(frozen=True)
class Children:
    """What belongs to a case, of one noun: how it is called, where it lies, which there are, how it is opened."""

    noun: Kept
    chart: Chart
    plural: str
    items: list[Any]
    cut: bool
    openings: list[OpeningOffer]


def columns_of(branch: Branch, noun: Kept, subject: Any, lang: str) -> list[tuple[str, str, bool, bool]]:
    """Label, value, whether it is a code or somebody's own words, whether an amount; empty ones are left out."""
    chart = branch.rulebook.charts[noun.chart]
    fields, labels, word = fields_in(chart), labels_of(noun, chart), words_in(noun, chart)
    found = []
    for name in sorted(noun.rows.columns, key=lambda one: one in _LAST):
        value = getattr(subject, name)
        if name in _OWN or value in (None, "", {}, ()):
            continue
        label = labels[name][lang == "en"]
        told = word(name, value, "en" if lang == "en" else "zh")
        text, own = (told, False) if told else _value(branch, chart, fields.get(name), name, value, lang)
        found.append((label, text, own, name.endswith("_fen")))
    return found


def as_table(
    lines: Sequence[Sequence[tuple[str, str, bool, bool]]],
) -> tuple[list[tuple[str, bool]], list[list[tuple[str, bool, bool]]]]:
    """Lines of `columns_of` beside each other: the first labels, each with whether it is an amount, and the cells."""
    amounts: dict[str, bool] = {}
    for line in lines:
        for label, _, _, amount in line:
            amounts.setdefault(label, amount)
    heads = list(amounts.items())[:_BESIDE]
    known = [{label: (text, own, amount) for label, text, own, amount in line} for line in lines]
    return heads, [[cells.get(label, ("", False, amount)) for label, amount in heads] for cells in known]


def _value(branch: Branch, chart: Chart, field: Field | None, name: str, value: Any, lang: str) -> tuple[str, bool]:
    if isinstance(value, datetime):
        return shown.instant(value, branch.time_zone), False
    if isinstance(value, date):
        return shown.day(value, lang), False
    if name.endswith("_fen") and isinstance(value, int):
        return shown.amount(value, lang), False
    if isinstance(value, dict):
        return (shown.amount(sum(value.values()), lang) if name.endswith("_fen") else ", ".join(map(str, value))), False
    if isinstance(value, tuple):
        return str(len(value)), False
    if name.endswith("_by"):
        return (words.say("frame.service", lang), False) if value == "system" else (shown.with_name(str(value)), True)
    if name == "opened_for" and value in chart.openings:
        return shown.told(chart.openings[value], lang), False
    text, own = value_of(field, value, lang, branch.time_zone)
    return (word_of(f"code.{value}", text, lang), own and not word_of(f"code.{value}", "", lang))


def live_of(children: Sequence[Children], word: str) -> list[Any]:
    """What is in force of one noun."""
    return [one for kind in children if kind.noun.word == word for one in kind.items if one.live]


def children_of(conn: Connection, branch: Branch, case: Case, actor: Actor) -> list[Children]:
    """What of each noun belongs to the case, or binds it, over or not; only what this reader may look at."""
    permissions, today = branch.rulebook.permissions, BusinessDates(conn, branch).of(case.institution)
    found = []
    for noun in NOUNS:
        if permissions.may(actor, f"{noun.word}.read"):
            within = reach_of(branch, actor, f"{noun.word}.read", today)
            wanted = ShownWanted(case_id=case.id, every=True)
            items, following = page_of(conn, branch, noun, within, wanted, limit=_MOST, cursor=None)
            chart = branch.rulebook.charts[noun.chart]
            offers = [one for one in openings_of(branch, noun, actor, today) if one.allowed]
            found.append(Children(noun, chart, PLURAL[noun.word], items, following is not None, offers))
    return found
