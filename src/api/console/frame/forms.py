"""Forms as browsers send them: read, checked to be ours, and made into the data that an event takes.

Amounts are typed in yuan, times in branch time. What cannot be read is passed on as it was typed: the door says of each
field what is wrong with it, in both languages, and says it beside the field.
"""

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, Response

from api.console.frame import cookies
from api.problems import problem_body, status_of
from casework.errors import CallerError
from casework.money import fen_from_yuan
from casework.work.cases.options import FieldOffer

DATA: Final = "data."
"""Before the names of what an event takes; the names without it are the form's own."""
_MAX_FIELDS: Final = 200


@dataclass(frozen=True)
class Tried:
    """A form that came back: what was typed and what is wrong with it.

    `faults` are shown beside their fields and on top, `problem` on top alone; `key` names the form.
    """

    key: str
    typed: Mapping[str, str]
    problem: Mapping[str, Any] = field(default_factory=dict)

    @property
    def faults(self) -> dict[str, Mapping[str, Any]]:
        """By field."""
        return {fault["field"]: fault for fault in self.problem.get("faults", ())}

    @property
    def reasons(self) -> Sequence[Mapping[str, Any]]:
        """Why it was refused."""
        found: Sequence[Mapping[str, Any]] = self.problem.get("reasons", ())
        return found


async def typed_in(request: Request[Any, Any, Any]) -> dict[str, str]:
    """A form's fields, the last of each name; CallerErrors `form_not_ours`, `malformed_request`."""
    try:
        text = (await request.body()).decode()
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise CallerError("malformed_request") from None
    found = {name: value.replace("\r\n", "\n") for name, value in pairs}
    cookies.check_form(request, found.get("form_token", ""))
    return found


def data_of(fields: Sequence[FieldOffer], typed: Mapping[str, str], zone: str) -> dict[str, Any]:
    """What the door takes for these fields; what was left empty is left out."""
    data = {}
    for one in fields:
        text = typed.get(DATA + one.name, "").strip()
        if one.type == "bool":
            data[one.name] = text == "yes"
        elif text:
            data[one.name] = _value(one.type, text, zone)
    return {name: value for name, value in data.items() if value is not False or _is_needed(fields, name)}


def _is_needed(fields: Sequence[FieldOffer], name: str) -> bool:
    return any(one.name == name and one.required for one in fields)


def _value(kind: str, text: str, zone: str) -> Any:
    with suppress(ValueError):  # what is none of these goes as it is, and is shown
        if kind == "fen":
            return fen_from_yuan(text.replace(",", "").replace("，", ""))
        if kind == "int":
            return int(text)
        if kind == "instant":
            return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).isoformat()
    return text


DAY_MISSING: Final = {
    "status": 422, "code": "faulty_data", "detail_zh": "缺少发生日期", "detail": "the day it happened on is required",
    "faults": [{"field": "on", "code": "missing", "zh": "缺少发生日期", "en": "the day it happened on is required"}],
}  # fmt: skip


def day_of(typed: Mapping[str, str]) -> date | None:
    """The day on which a fact happened; none where none was given (`DAY_MISSING`)."""
    try:
        return date.fromisoformat(typed.get("on", ""))
    except ValueError:
        return None


def number_of(typed: Mapping[str, str], name: str) -> int | None:
    """A number that a form carries along, such as the version that was seen."""
    text = typed.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def problem_of(told: CallerError) -> dict[str, Any]:
    """A caller's mistake that was raised, as the API would answer it."""
    found: dict[str, Any] = msgspec.json.decode(
        problem_body(told.code, request_id="-", zh=told.zh, en=told.en, facts=told.facts)
    )
    return found


def problem_in(answer: Response[bytes]) -> dict[str, Any]:
    """What a changing step answers when it did not happen; nothing if it did."""
    if answer.status_code is not None and answer.status_code < 400:
        return {}
    found: dict[str, Any] = msgspec.json.decode(answer.content)
    return found


async def problem_when(doing: Awaitable[Response[bytes]]) -> dict[str, Any]:
    """`problem_in` of what is done, or what a CallerError says: the form is shown again with it.

    CallerErrors of 401, 403 and 404 are raised: who may not see the form is not shown it again.
    """
    try:
        return problem_in(await doing)
    except CallerError as told:
        if status_of(told.code) in (401, 403, 404):
            raise
        return problem_of(told)
