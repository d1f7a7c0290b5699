"""What may be done to the register from a page: each deed declared once, with its fields, its command and its door."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from api.written import Change
from casework.errors import CallerError
from casework.intake.enrolment.grants import PostsGranted, enrol, grant
from casework.people.identity import ending, resetting
from casework.people.staff import absence, places, register
from casework.people.staff.person import day_before
from casework.work.cases.merging import merge

_CODE: Final = 32
_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """A field of a deed: `kind` as `parts.html` shows it, or post, leave, flag."""

    name: str
    kind: str = "ref"
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Deed:
    """`act` gives what is shown only now (a code), the posts that were asked for, or nothing; `of`: to which status."""

    name: str
    command: str
    asks: tuple[Asked, ...]
    act: Callable[[Change, str, Mapping[str, Any]], Any]
    of: frozenset[str] = frozenset({"active"})
    danger: bool = False


def values_of(deed: Deed, typed: Mapping[str, str]) -> dict[str, Any]:
    """What was typed as values; what was left empty is none. CallerErrors date_malformed, faulty_data."""
    return {one.name: _value(one, typed.get(one.name, "").strip()) for one in deed.asks}


def _value(one: Asked, text: str) -> Any:
    if one.kind == "flag":
        return text == "yes"
    if not text:
        if one.needed:
            raise _fault(one.name, "missing", "缺少该项", "it is required")
        return None
    if one.kind == "date":
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise _fault(one.name, "date_malformed", "日期形如 2026-03-31", "a date looks like 2026-03-31") from None
    if one.kind == "int":
        if not (text.isascii() and text.isdigit() and len(text) <= 6):
            raise _fault(one.name, "malformed", "应为不超过6位的整数", "a whole number of at most 6 digits")
        return int(text)
    if len(text) > (_NAME if one.name == "name" else _CODE):
        raise _fault(one.name, "too_long", "过长", "it is too long")
    return text


def _fault(name: str, code: str, zh: str, en: str) -> CallerError:
    return CallerError("faulty_data", zh, en, faults=[{"field": name, "code": code, "zh": zh, "en": en}])


# ── the register ────────────────────────────────────────────────────────────────────────────────────────────


def _register(change: Change, _: str, typed: Mapping[str, Any]) -> list[PostsGranted]:
    given = {name: typed[name] for name in ("staff_no", "name", "team", "region", "joined_on")}
    posts = [typed["post"]] if typed["post"] else []
    return enrol(change.conn, change.branch, change.trail, change.actor, posts=posts, **given)[1]


def _post(change: Change, staff_no: str, typed: Mapping[str, Any]) -> list[PostsGranted]:
    return [grant(
        change.conn, change.branch, change.trail, change.actor, staff_no=staff_no, post=typed["post"],
        from_on=typed["from_on"] or change.trail.today, until_on=typed["until_on"],
    )]  # fmt: skip


def _end_post(change: Change, staff_no: str, typed: Mapping[str, Any]) -> None:
    last = typed["on"] or day_before(change.trail.today)
    register.end_post(change.conn, change.trail, change.actor, staff_no=staff_no, post=typed["post"], on=last)


def _particulars(change: Change, staff_no: str, typed: Mapping[str, Any]) -> None:
    figures = {name: typed[name] for name in ("capacity", "leaves_on") if typed[name] is not None}
    if not figures and typed["name"] is None:
        raise CallerError("nothing_changes")
    register.change(
        change.conn, change.trail, change.actor, staff_no=staff_no, name=typed["name"], joined_on=None, figures=figures
    )


def _stays(change: Change, staff_no: str, _: Mapping[str, Any]) -> None:
    register.change(
        change.conn, change.trail, change.actor, staff_no=staff_no, name=None, joined_on=None,
        figures={"leaves_on": None},
    )  # fmt: skip


def _move(change: Change, staff_no: str, typed: Mapping[str, Any]) -> None:
    register.move(
        change.conn, change.trail, change.actor, staff_no=staff_no, team=typed["team"], region=typed["region"],
        from_on=typed["from_on"] or change.trail.today, cause={},
    )  # fmt: skip


def _certify(change: Change, staff_no: str, typed: Mapping[str, Any]) -> None:
    absence.certify(change.conn, change.trail, change.actor, staff_no=staff_no, **typed)


def _confirm(change: Change, staff_no: str, typed: Mapping[str, Any]) -> None:
    register.confirm(change.conn, change.trail, change.actor, staff_no=staff_no, **typed)


def _merge(change: Change, staff_no: str, typed: Mapping[str, Any]) -> None:
    merge(change.conn, change.branch, change.trail, change.actor, staff_no=staff_no, into=typed["into"])


def _come_back(change: Change, staff_no: str, typed: Mapping[str, Any]) -> None:
    register.come_back(change.conn, change.trail, change.actor, staff_no=staff_no, **typed)


def _team(change: Change, _: str, typed: Mapping[str, Any]) -> None:
    places.set_team(change.conn, change.trail, change.actor, **typed)


def _region(change: Change, _: str, typed: Mapping[str, Any]) -> None:
    places.set_region(change.conn, change.trail, change.actor, **typed)


# ── leave, access ───────────────────────────────────────────────────────────────────────────────────────────


def _absent(change: Change, staff_no: str, typed: Mapping[str, Any]) -> None:
    permissions, days = change.branch.rulebook.permissions, (typed["from_on"], typed["until_on"])
    absence.check_recorder(
        change.conn, permissions, change.actor, staff_no, typed["deputy"], days, today=change.trail.today
    )
    absence.absent(change.conn, change.trail, change.actor, permissions, staff_no=staff_no, **typed)


def _back(change: Change, staff_no: str, typed: Mapping[str, Any]) -> None:
    permissions = change.branch.rulebook.permissions
    absence.check_recorder(change.conn, permissions, change.actor, staff_no, None, today=change.trail.today)
    absence.end_absence(change.conn, change.trail, change.actor, staff_no=staff_no, **typed)


def _code(change: Change, staff_no: str, typed: Mapping[str, Any]) -> resetting.Code:
    policy = change.branch.rulebook.policies.at(change.trail.today)
    return resetting.issue_code(
        change.conn, change.trail, policy, change.actor, staff_no=staff_no, second_factor_too=typed["second_factor_too"]
    )


def _revoke(change: Change, staff_no: str, _: Mapping[str, Any]) -> None:
    ending.revoke_tokens(change.conn, change.trail, change.actor, staff_no=staff_no)


_HOME: Final = (Asked("team", needed=False), Asked("region", needed=False))
_CHANGE: Final = "staff.change"
DEEDS: Final = {
    deed.name: deed
    for deed in (
        Deed("post", _CHANGE, (Asked("post", "post"), Asked("from_on", "date", needed=False),
                               Asked("until_on", "date", needed=False)), _post),
        Deed("end_post", _CHANGE, (Asked("post", "post"), Asked("on", "date", needed=False)), _end_post, danger=True),
        Deed("leave", "leave.own", (Asked("from_on", "date"), Asked("until_on", "date"), Asked("reason", "leave"),
                                    Asked("deputy", needed=False)), _absent),
        Deed("back", "leave.own", (Asked("from_on", "date"), Asked("on", "date", needed=False)), _back),
        Deed("move", _CHANGE, (*_HOME, Asked("from_on", "date", needed=False)), _move),
        Deed("particulars", _CHANGE, (Asked("name", needed=False), Asked("capacity", "int", needed=False),
                                      Asked("leaves_on", "date", needed=False)), _particulars),
        Deed("stays", _CHANGE, (), _stays),
        Deed("certificate", _CHANGE, (Asked("kind"), Asked("issued_on", "date"),
                                      Asked("expires_on", "date", needed=False)), _certify),
        Deed("confirm", _CHANGE, (Asked("name"), *_HOME), _confirm, frozenset({"unverified"})),
        Deed("merge", _CHANGE, (Asked("into"),), _merge, frozenset({"unverified"}), danger=True),
        Deed("come_back", _CHANGE, _HOME, _come_back, frozenset({"left"})),
        Deed("code", "staff.reset", (Asked("second_factor_too", "flag", needed=False),), _code),
        Deed("revoke", "staff.reset", (), _revoke, danger=True),
    )
}  # fmt: skip
"""What is done to somebody, by its name."""

NEW: Final = {
    deed.name: deed
    for deed in (
        Deed("register", _CHANGE, (Asked("staff_no"), Asked("name"), Asked("post", "post", needed=False), *_HOME,
                                   Asked("joined_on", "date", needed=False)), _register),
        Deed("team", "team.change", (Asked("code"), Asked("name"), Asked("region", needed=False)), _team),
        Deed("region", "team.change", (Asked("code"), Asked("name")), _region),
    )
}  # fmt: skip
"""What is new in the register."""
