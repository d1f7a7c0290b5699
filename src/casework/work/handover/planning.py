"""Planning: where every case of somebody who leaves or moves is to go, and who else has to say yes.

A plan changes nothing but itself. It is stored with every move and its preview, and asks for approval (four eyes,
kind `handover`) as soon as everything can be placed. Callers commit.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import TryAgain
from casework.log.write.trail import Draft, Trail
from casework.people.staff import dossier, places
from casework.people.staff.actor import Actor, system
from casework.people.staff.mistakes import staff_left
from casework.people.staff.person import ACTIVE, Person, folded
from casework.people.staff.register import bump
from casework.people.staff.roster import Colleague, Roster
from casework.people.staff.tables import register_version
from casework.rules.statechart.policy import Capacities, Policy
from casework.storage import rows
from casework.storage.driver_errors import is_conflict
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case
from casework.work.cases.door import open_cases
from casework.work.cases.gather import business_dates
from casework.work.cases.ownership import Loads, capacity_of
from casework.work.handover import mistakes, preview, standing
from casework.work.handover.asking import ask_for_approval, asked_with, close_request
from casework.work.handover.moves import (
    DEPARTURE,
    MOVE_COLUMNS,
    TRANSFER,
    Candidates,
    Move,
    choose_moves,
    digest_of,
    stays,
)
from casework.work.handover.tables import handover_moves, handovers

PLAN: Final = "handover.plan"
RULES: Final = ("1.1.1", "5.4")
_FURTHEST = timedelta(days=366)


class Options(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What was asked for: receivers named by hand (none: by rule), and for a transfer where he moves to."""

    receivers: tuple[str, ...] = ()
    team: str | None = None
    region: str | None = None


def stream_of(handover_id: int) -> str:
    """The audit stream of a hand-over."""
    return f"handover:{handover_id}"


def plan(
    conn: Connection, branch: Branch, *, actor: Actor, staff_no: str, kind: str = DEPARTURE, on: date | None = None,
    options: Options | None = None, clock: Clock = now,
) -> int:  # fmt: skip
    """Plan what is to happen to the cases of `staff_no` on `on` (his last day, else today); the plan's id.

    A plan of his that is still open is replaced. CallerErrors: unknown_staff, staff_left, day_out_of_range,
    home_needed, home_not_wanted, nothing_changes, unknown_team, unknown_region, region_differs, receiver_unknown,
    receiver_not_there, receiver_without_post, receiver_is_leaver, receiver_leaving, receiver_full.
    """
    branch.rulebook.permissions.require(actor, PLAN)
    today = branch.today(clock())
    person = dossier.person(conn, staff_no)
    if not person.is_there:
        raise staff_left(staff_no)
    effective_on = _effective(on, person, today, kind)
    wanted = _checked(conn, person, kind, options or Options(), effective_on)
    drawn = draw(conn, branch, person, kind, wanted, max(today, effective_on), today, by_hand=True)
    return store(conn, branch, actor, staff_no, kind, effective_on, wanted, drawn, clock=clock, why="planned_anew")


def _effective(on: date | None, person: Person, today: date, kind: str) -> date:
    if on is None:
        on = person.leaves_on if kind == DEPARTURE and person.leaves_on is not None else today
    first, last = today - _FURTHEST, today + _FURTHEST
    if not first <= on <= last:
        raise mistakes.day_out_of_range(first, last)
    return on


def _checked(conn: Connection, person: Person, kind: str, wanted: Options, on: date) -> Options:
    """The options with the region that the team lies in; receivers once each, in order."""
    receivers = tuple(dict.fromkeys(wanted.receivers))
    if kind == DEPARTURE:
        if wanted.team is not None or wanted.region is not None:
            raise mistakes.home_not_wanted()
        return Options(receivers)
    if wanted.team is None and wanted.region is None:
        raise mistakes.home_needed()
    team = folded(wanted.team)
    region = places.check(conn, team, folded(wanted.region))
    home = person.home_on(on)
    if home is not None and (home.team, home.region) == (team, region):
        raise mistakes.already_at_home(person.staff_no)
    return Options(receivers, team, region)


# ── drawing it up ───────────────────────────────────────────────────────────────────────────────────────────


class Drawn(msgspec.Struct, frozen=True):
    """A plan before it is stored."""

    moves: list[Move]
    shown: preview.Preview


def draw(
    conn: Connection,
    branch: Branch,
    person: Person,
    kind: str,
    wanted: Options,
    on: date,
    today: date,
    *,
    by_hand: bool,
) -> Drawn:
    """The moves and the preview, as the register is to be `on` that day.

    `by_hand`: somebody is there to be told of receivers who may not be (CallerErrors as `plan`); otherwise they are
    passed over, and what they cannot take is left unplaced.
    """
    among = candidates(conn, branch, person.staff_no, wanted.receivers, on, today, by_hand=by_hand)
    found = standing.cases_of(conn, person.staff_no)
    moving = moving_of(found, person.staff_no, kind, wanted, among, branch)
    loads = Loads(count=lambda people: open_cases(conn, people))
    usual = branch.rulebook.policies.at(today).capacities
    if by_hand and among.named:
        _check_room(moving, person.staff_no, among.named, loads, usual)
    loads.need(among.roster.colleagues)
    before = dict(loads.counts)
    moves = choose_moves(moving, person.staff_no, among, loads)
    shown = preview.preview_of(
        {case.id: case for case in moving}, moves, before=before, after=loads, roster=among.roster, usual=usual,
        dates=standing.carried_by(conn, moving), stays=len(found) - len(moving),
        ending=standing.ending_of(conn, person.staff_no, moving, today=today),
    )  # fmt: skip
    return Drawn(moves, shown)


def candidates(
    conn: Connection, branch: Branch, goes: str, receivers: Sequence[str], on: date, today: date, *, by_hand: bool
) -> Candidates:
    """Among whom to choose when `goes` goes: the register of that day, without those who are about to go too."""
    version: int = conn.execute(sa.select(register_version.c.version)).scalar_one()
    roster = branch.roster(conn, version, on)
    warned = int(branch.rulebook.policies.at(today).figure("staff.departure_warning_days"))
    going = standing.are_going(conn, on + timedelta(days=warned)) | {goes}
    rules = branch.rulebook.owners
    named = _named(receivers, goes, roster, going, rules.posts, by_hand=by_hand)
    dates = business_dates(conn)

    def policy_of(case: Case) -> Policy:
        return branch.rulebook.policies.at(dates.get(case.institution, today))

    return Candidates(rules, roster, policy_of, named, frozenset(going))


def _named(
    receivers: Sequence[str], goes: str, roster: Roster, going: set[str], posts: frozenset[str], *, by_hand: bool
) -> tuple[Colleague, ...]:
    found = []
    for receiver in receivers:
        code = unfit(receiver, goes, roster, going, posts)
        if code is None:
            found.append(roster.colleagues[receiver])
        elif by_hand:
            raise mistakes.receiver_mistake(code, receiver)
    return tuple(found)


def unfit(receiver: str, goes: str, roster: Roster, going: Collection[str], posts: frozenset[str]) -> str | None:
    """Why somebody may not receive cases of `goes`, if he may not."""
    colleague = roster.colleagues.get(receiver)
    if colleague is None:
        return "receiver_unknown"
    if receiver == goes:
        return "receiver_is_leaver"
    if colleague.status != ACTIVE:
        return "receiver_not_there"
    if receiver in going:
        return "receiver_leaving"
    return None if colleague.posts & posts else "receiver_without_post"


def moving_of(
    found: Sequence[Case], goes: str, kind: str, wanted: Options, among: Candidates, branch: Branch
) -> list[Case]:
    """The cases that are to change hands; of somebody who moves, some stay with him (`moves.stays`)."""
    mover = among.roster.colleagues.get(goes)
    if kind != TRANSFER or mover is None:
        return list(found)
    home = wanted.team, wanted.region
    return [case for case in found if not stays(case, mover, home, among, branch.rulebook.permissions)]


def _check_room(moving: Sequence[Case], goes: str, named: Sequence[Colleague], loads: Loads, usual: Capacities) -> None:
    loads.need(one.staff_no for one in named)
    room = sum(max(capacity_of(one, usual) - loads.of(one.staff_no), 0) for one in named)
    needed = sum(case.live and case.owner == goes for case in moving)
    if needed > room:
        raise mistakes.receivers_full((one.staff_no for one in named), needed, room)


# ── storing it ──────────────────────────────────────────────────────────────────────────────────────────────


def store(
    conn: Connection, branch: Branch, actor: Actor, staff_no: str, kind: str, effective_on: date, wanted: Options,
    drawn: Drawn, *, clock: Clock, why: str, differences: Mapping[str, Any] | None = None,
    planned_by: str | None = None,
) -> int:  # fmt: skip
    """Write a plan with its entry, and ask for its approval; an open one of the same person is replaced, and says why.

    `planned_by`: who planned first, if the service only plans it anew; then the service asks, and he is still no other
    person who might approve it.
    TryAgain if somebody else plans for the same person at this moment.
    """
    trail = branch.trail(clock())
    options, shown = _encode(wanted), preview.encoded(drawn.shown)
    digest = digest_of(options, shown, drawn.moves)
    values: dict[str, Any] = {
        "staff_no": staff_no, "kind": kind, "effective_on": effective_on, "status": standing.PLANNED,
        "plan_digest": digest, "options": options, "preview": shown,
        "planned_by": planned_by or actor.id, "planned_at": trail.recorded_at,
    }  # fmt: skip
    old = conn.execute(_OPEN_ONE, {"who": staff_no}).one_or_none()
    if old is not None:
        conn.execute(handovers.update().where(handovers.c.id == old.id).values(status=standing.REPLACED))
        bump(conn)
    try:
        fresh = handovers.insert().values(values).returning(handovers.c.id)
        handover_id = int(conn.execute(fresh).scalar_one())
    except Exception as error:
        if is_conflict(error):
            raise TryAgain("database_busy", "somebody else plans for the same person at this moment") from error
        raise
    rows.insert_many(conn, handover_moves, [(handover_id, *_row(move)) for move in drawn.moves], _MOVE_ROW)
    if old is not None:
        _replace(conn, branch, trail, actor, old, handover_id, why, differences or {})
    request_id = None
    if drawn.shown.unplaced == 0:
        asker = actor if planned_by is None else system(actor.via)
        planner = None if planned_by in (None, asker.id) else planned_by
        data = asked_with(digest, planner)
        request_id = ask_for_approval(conn, branch, asker, handover_id, kind, data, clock)
    said = _planned(values, drawn.shown, wanted) | {"request": request_id, "replaces": old.id if old else None}
    trail.append(conn, stream_of(handover_id), Draft("handover.planned", actor.signed, said, rules=RULES))
    trail.write(conn)
    return handover_id


def _planned(values: Mapping[str, Any], shown: preview.Preview, wanted: Options) -> dict[str, Any]:
    return {
        "staff_no": values["staff_no"], "kind": values["kind"], "effective_on": values["effective_on"].isoformat(),
        "planned_by": values["planned_by"], "plan_digest": values["plan_digest"], "cases": shown.cases,
        "overdue_fen": shown.overdue_fen,
        "unplaced": shown.unplaced, "stays": shown.stays, "named": list(wanted.receivers), "team": wanted.team,
        "region": wanted.region,
        "receivers": [
            {"receiver": one.receiver, "cases": one.cases, "overdue_fen": one.overdue_fen} for one in shown.receivers
        ],
    }  # fmt: skip


def _replace(
    conn: Connection, branch: Branch, trail: Trail, actor: Actor, old: Any, by: int, why: str,
    differences: Mapping[str, Any],
) -> None:  # fmt: skip
    conn.execute(handovers.update().where(handovers.c.id == old.id).values(replaced_by=by))
    close_request(conn, branch, trail, old.id, actor, why)
    data = {"by": by, "why": why, **differences}
    trail.append(conn, stream_of(old.id), Draft("handover.replaced", actor.signed, data, rules=RULES, reason_code=why))


def _row(move: Move) -> tuple[Any, ...]:
    return msgspec.structs.astuple(move)


def options_of(row: Any) -> Options:
    """The options of a row of `handovers`."""
    return _decode(bytes(row.options))


_MOVE_ROW = ("handover_id", *MOVE_COLUMNS)
_OPEN_ONE = (
    sa.select(handovers)
    .where(handovers.c.staff_no == sa.bindparam("who"), handovers.c.status.in_(standing.OPEN))
    .with_for_update()
)
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Options).decode
