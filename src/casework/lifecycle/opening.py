"""Opening a child, or something that nobody owns; a noun whose opening chooses more has a verb of its own."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from casework.customer import Customer
from casework.errors import CallerError
from casework.lifecycle import fold
from casework.lifecycle.commands import Mistaken, Open, Outcome, Refused
from casework.lifecycle.follows import barred, follow
from casework.lifecycle.kept import Kept
from casework.lifecycle.reasons import by, on_record, rules_of
from casework.people.staff.actor import SYSTEM_POST
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.decide import Refusal, decide_opening
from casework.rules.statechart.fields import DataFault, take
from casework.rules.statechart.policy import Policy

if TYPE_CHECKING:
    from casework.lifecycle.door import Door


def open_(door: "Door", noun: Kept, command: Open) -> Outcome:
    """Open it, told to whom it concerns; or refuse it with an entry in the stream in which it would have lived."""
    chart = door.charts[noun.chart]
    ground = chart.openings.get(command.ground)
    if ground is None:
        return no_such_ground(chart, command.ground)
    whom = _whom(door, noun, command)
    if isinstance(whom, Mistaken):
        return whom
    parent, about, whose = whom
    today, policy = door.of_institution(about["institution"] if about else None)
    authority = door.authority_over(command.actor, ground.posts, whose, policy, ground.rules)
    data: dict[str, Any] = {"ground": command.ground} | ({"about": about} if about and parent is None else {})
    if isinstance(authority, Refusal):  # before the data: nobody learns a form that is not theirs
        return _refuse(door, noun, command, parent, about, authority, data, today, policy)
    given, texts, faults = take(
        ground.fields, command.data, today=today, latest=max(today, door.today), policy=policy, zone=door.zone
    )
    if faults:
        return Mistaken("faulty_data", None, None, tuple(faults))
    data |= {"given": given, "business_date": today.isoformat()}
    number = next(door.gathered.new_ids[noun.chart])
    new = fold.begin(noun, number, command.actor.id, chart, data, policy, parent)
    if gathered := noun.beside(door, new, given | texts) if noun.beside else {}:
        data["gathered"] = gathered
        new = fold.begin(noun, number, command.actor.id, chart, data, policy, parent)  # as it is read from the entry
    now = noun.situation(new, today, policy, command.actor.id, given, gathered, None, parent)
    refusal = decide_opening(ground, now, ground.posts) or barred(door, ground.fires, noun, new, given, command.actor)
    if refusal is not None:
        return _refuse(door, noun, command, parent, about, refusal, data, today, policy)
    data |= by(authority)
    draft = door.draft(noun, noun.says.opened, command.actor, data, today, policy, ground.rules, texts)
    after = noun.following(door, new, new.state, texts) if noun.following else None
    done = door.opened(noun, new, draft)
    if after is not None:
        after(command.actor)
    door.tell(noun, new, ground.tells, command.actor, done.entry_id, today)
    follow(door, ground.fires, noun, new, command.actor, command.data, today)
    return done


def no_such_ground(chart: Chart, given: str) -> Mistaken:
    """With the grounds that people open on."""
    return Mistaken("unknown_ground", None, None, (no_such("ground", given, chart.openings),))


def unknown_event(given: str, chart: Chart) -> CallerError:
    """CallerError `unknown_event` with those that people may fire."""
    fault = no_such("event", given, chart.events)
    return CallerError("unknown_event", fault.zh, fault.en, faults=[msgspec.structs.asdict(fault)])


def no_such(field: str, given: str, named: Mapping[str, Any]) -> DataFault:
    """What a caller named is not in the chart; with those that people may name."""
    known = {name: one for name, one in named.items() if one.posts != {SYSTEM_POST}}
    zh = "、".join(f"{one.zh}（{name}）" for name, one in known.items())
    return DataFault(
        field, "unknown", f"须为以下之一：{zh}，没有 {given[:64]}",
        f"must be one of {', '.join(known)}, not {given[:64]}", allowed=tuple(known),
    )  # fmt: skip


def _whom(
    door: "Door", noun: Kept, command: Open
) -> tuple[Any, Mapping[str, Any] | None, Sequence[Any]] | Mistaken:  # fmt: skip
    """Of a child its parent, of anything whose it is and the main subjects that are concerned; or why there is none."""
    parent, about = None, door.gathered.about.get(id(command))
    if noun.child:
        parent = door.gathered.subjects.get((door.main.chart, command.of or 0))
        if parent is None and door.missing == "busy":
            return Mistaken(f"{door.main.word}_busy", command.of)
        if parent is None or not door.sees(command.actor, door.main, parent):
            return Mistaken(f"unknown_{door.main.word}", command.of)
        if command.version is not None and command.version != parent.version:
            return Mistaken("stale_version", parent.id, parent.version)
        about = {"institution": parent.institution, "borrower_id": parent.borrower_id}
    elif about and Customer(about["institution"], about["borrower_id"]) in door.gathered.elsewhere:
        return Mistaken(f"{noun.word}_busy", None)
    whose = [parent] if parent is not None else door.of_customer(about)
    if parent is None and noun.about is not None and not (about and door.sees_any(command.actor, noun, whose, about)):
        return Mistaken("unknown_loan", None)
    return parent, about, whose


def _refuse(
    door: "Door", noun: Kept, command: Open, parent: Any, about: Mapping[str, Any] | None, refusal: Refusal,
    data: dict[str, Any], today: date, policy: Policy,
) -> Refused:  # fmt: skip
    kept = {**data, "reasons": [on_record(reason) for reason in refusal.reasons]}
    draft = door.draft(
        noun, noun.says.refused_opening, command.actor, kept, today, policy, rules_of(refusal),
        reason_code=refusal.reasons[0].code,
    )  # fmt: skip
    where = parent if parent is not None else _Nothing(**about) if about else None
    if where is None:
        raise ValueError(f"the opening of a {noun.word} has no stream to be refused in")
    return Refused(None, None, None, refusal.reasons, refusal.forbidden, door.put(noun, where, draft))


class _Nothing(msgspec.Struct, frozen=True):
    """What was not opened: of whom it would have been."""

    institution: str
    borrower_id: str
    id: int = 0
