"""Cases and nouns as lists that are taken out (`taking_out`): their columns, and what stands in them. Pure."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from casework.instants import branch_text
from casework.lifecycle.noun import Noun
from casework.lifecycle.subject import HEAD, Label, labels_in
from casework.money import yuan_text
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.fields import Field
from casework.spreadsheet import Column, safe_cell
from casework.table import BulkList
from casework.work.cases.line import CaseLine

Lang = Literal["zh", "en"]


CASE_COLUMNS = (
    Column("id", "案件编号", "Case", 10),
    Column("loan_id", "借据号", "Loan", 20),
    Column("borrower_id", "客户号", "Borrower", 16),
    Column("state", "状态", "State", 14),
    Column("state_since", "进入状态日期", "In state since", 12),
    Column("days_past_due", "逾期天数", "Days past due", 9),
    Column("bucket", "账龄", "Bucket", 7),
    Column("oldest_due_date", "最早应还日", "Oldest due date", 12),
    Column("overdue_fen", "逾期总额（元）", "Overdue (yuan)", 14),
    Column("overdue_principal_fen", "逾期本金（元）", "Overdue principal (yuan)", 14),
    Column("overdue_interest_fen", "逾期利息（元）", "Overdue interest (yuan)", 14),
    Column("overdue_penalty_fen", "罚息（元）", "Penalty (yuan)", 14),
    Column("outstanding_principal_fen", "贷款余额（元）", "Outstanding principal (yuan)", 14),
    Column("owner", "管户人", "Owner", 12),
    Column("handler", "经办人", "Handler", 12),
    Column("team", "团队", "Team", 10),
    Column("region", "区域", "Region", 10),
    Column("product", "产品", "Product", 12),
    Column("channel_code", "渠道", "Channel", 12),
    Column("institution", "机构", "Institution", 12),
    Column("opened_on", "入催日期", "Opened on", 12),
    Column("opened_for", "入催原因", "Opened for", 14),
)


_PEOPLE = {"owner": "owner_name", "handler": "handler_name"}


CASES: Final = BulkList("cases", "案件", "Cases", CASE_COLUMNS, "cases.exported", kept_left=2)


# ── any noun ────────────────────────────────────────────────────────────────────────────────────────────────

_OF_EVERY: Final = {
    "id": ("编号", "Number"), "parent_id": ("案件编号", "Case"), "loan_id": ("借据号", "Loan"),
    "borrower_id": ("客户号", "Borrower"), "institution": ("机构", "Institution"), "state": ("状态", "State"),
    "state_since": ("进入状态日期", "In state since"), "due_on": ("到期日", "Due on"),
    "opened_on": ("登记日期", "Opened on"), "opened_for": ("登记事由", "Opened for"),
    "opened_by": ("登记人", "Opened by"),
}  # fmt: skip
_YES: Final = {"zh": ("否", "是"), "en": ("no", "yes")}
_JOINED_BY: Final = {"zh": "、", "en": ", "}
_LEFT_OUT: Final = frozenset({"chart", "live", "version", *HEAD})


def columns_of(noun: Noun, chart: Chart) -> list[Column]:
    """A column for each plain field of its struct: named as everywhere, by the chart's data, or by the struct itself.

    KeyError for a field that none of them names.
    """
    columns: list[Column] = []
    for name, (zh, en) in labels_of(noun, chart).items():
        if noun.rows.kinds[name][0] is not None:
            money = name.endswith("_fen")
            columns.append(Column(name, f"{zh}（元）" if money else zh, f"{en} (yuan)" if money else en, 14))
    return columns


def labels_of(noun: Noun, chart: Chart) -> dict[str, tuple[str, str]]:
    """What each field of its struct is called, zh and en: first what every noun has."""
    own, fields = labels_in(noun.subject), fields_in(chart)
    names = dict.fromkeys(name for name in (*_OF_EVERY, *noun.rows.columns) if name in noun.rows.columns)
    return {name: _OF_EVERY.get(name) or _label_of(name, fields, own) for name in names if name not in _LEFT_OUT}


def fields_in(chart: Chart) -> dict[str, Field]:
    """The fields of what events, facts and openings take; what a field is called at the opening stands."""
    parts: tuple[Any, ...] = (*chart.events.values(), *chart.facts.values(), *chart.openings.values())
    return {name: field for part in parts for name, field in part.fields.items()}


def _label_of(name: str, fields: Mapping[str, Field], own: Mapping[str, Label]) -> tuple[str, str]:
    if name in fields:
        return fields[name].zh, fields[name].en.capitalize()
    if name not in own:
        raise KeyError(f"{name} has no label: neither the chart nor the struct names it")
    return own[name].zh, own[name].en


def words_in(noun: Noun, chart: Chart) -> Callable[[str, Any, Lang], str | None]:
    """What a code in a field of its struct means, in a language; none: it is no code, or nothing declares it.

    By the data of the chart that is called so; what the struct alone has, by the table that it names or the chart's own
    words; of a list, what the first of each item means.
    """
    fields, own = fields_in(chart), labels_in(noun.subject)

    def word(name: str, value: Any, lang: Lang) -> str | None:
        if isinstance(value, bool):
            return _YES[lang][value]
        if isinstance(value, tuple) and name in own and own[name].words_of is not None:
            codes = [msgspec.structs.astuple(one)[0] for one in value]
            return _JOINED_BY[lang].join(chart.word(code, lang, own[name].words_of) or str(code) for code in codes)
        if name in fields:
            return fields[name].word(value, lang)
        return chart.word(value, lang, own[name].words_of) if name in own and isinstance(value, str) else None

    return word


def noun_list(noun: Noun, chart: Chart, name: str) -> BulkList:
    """A noun's list by its chart alone; `name`: what entries call it."""
    return BulkList(name, chart.zh, chart.en, columns_of(noun, chart), kept_left=2)


def noun_cells(noun: Noun, chart: Chart, lang: Lang, zone: str) -> Callable[[Any], list[Any]]:
    """What makes of a subject its values in the order of `columns_of`: codes in words, times those of the branch."""
    branch_zone = ZoneInfo(zone)
    names, word = [column.field for column in columns_of(noun, chart)], words_in(noun, chart)
    return lambda subject: [_local(_told(subject, name, chart, word, lang), branch_zone) for name in names]


def case_cells(line: CaseLine, chart: Chart, lang: Lang) -> list[Any]:
    """A case as values in the order of `CASE_COLUMNS`, codes in words."""
    return [_shown(line, column.field, chart, lang) for column in CASE_COLUMNS]


def noun_texts(subject: Any, noun: Noun, chart: Chart, lang: Lang, zone: str) -> list[str]:
    """A subject as texts in the order of `columns_of`."""
    names, word = [column.field for column in columns_of(noun, chart)], words_in(noun, chart)
    return [_text(name, _told(subject, name, chart, word, lang), zone) for name in names]


def _told(subject: Any, name: str, chart: Chart, word: Callable[[str, Any, Lang], str | None], lang: Lang) -> Any:
    value = getattr(subject, name)
    if name == "state" and value in chart.states:
        return getattr(chart.states[value], lang)
    if name == "opened_for" and value in chart.openings:
        return getattr(chart.openings[value], lang)
    return word(name, value, lang) or value


def _local(value: Any, zone: ZoneInfo) -> Any:
    return value.astimezone(zone) if isinstance(value, datetime) else value


def _text(field: str, value: Any, zone: str) -> str:
    if value is None:
        return ""
    if field.endswith("_fen"):
        return yuan_text(value)
    if isinstance(value, datetime):
        return branch_text(value, zone)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, int) else safe_cell(str(value))


def _shown(line: CaseLine, field: str, chart: Chart, lang: Lang) -> Any:
    """A field of a case, codes in words; a code of an earlier chart as it is."""
    value = getattr(line, field)
    if field == "state" and value in chart.states:
        return chart.state_named(value).told(line.ended_as, lang)
    if field in _PEOPLE and (name := getattr(line, _PEOPLE[field])) is not None:
        return f"{name}（{value}）" if lang == "zh" else f"{name} ({value})"
    if field == "opened_for" and value in chart.openings:
        return getattr(chart.openings[value], lang)
    return value
