"""Planning: where every case of somebody who leaves or moves is to go, and who else has to say yes.

A plan changes nothing but itself. It is stored with every move and its preview, and asks for approval (four eyes,
kind `handover`) as soon as everything can be placed. Callers commit.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import CallerError, TryAgain
from casework.lifecycle.gather import select_of
from casework.people.staff import dossier, places
from casework.people.staff.actor import Actor, system
from casework.people.staff.mistakes import staff_left
from casework.people.staff.person import ACTIVE, Person, folded
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
from casework.work.four_eyes import requests as four_eyes
from casework.work.four_eyes.ending import send_back_about
from casework.work.four_eyes.recording import Asked
from casework.work.handover import preview, recording, standing
from casework.work.handover.moves import MOVE_COLUMNS, Candidates, Move, choose_moves, digest_of, stays
from casework.work.handover.tables import HANDOVERS, handover_moves, handovers
from casework.work.handovers import DEPARTURE, HANDOVER, TRANSFER, Handover

PLAN: Final = "handover.plan"
CHANGED: Final = "cases_changed"
"""Why a plan is replaced by one that was drawn up anew."""
_FURTHEST = timedelta(days=366)


class PlanOptions(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What was asked for: receivers named by hand (none: by rule), and for a transfer where they move to."""

    receivers: tuple[str, ...] = ()
    team: str | None = None
    region: str | None = None


def plan(
    conn: Connection, branch: Branch, *, actor: Actor, staff_no: str, kind: str = DEPARTURE, on: date | None = None,
    options: PlanOptions | None = None, clock: Clock = now,
) -> int:  # fmt: skip
    """Plan what is to happen to the cases of `staff_no` on `on` (their last day, else today); the plan's id.

    A plan of theirs that is still open is replaced. CallerErrors: unknown_staff, staff_left, day_out_of_range,
    home_needed, home_not_wanted, nothing_changes, unknown_team, unknown_region, region_differs, receiver_unknown,
    receiver_not_there, receiver_without_post, receiver_is_leaver, receiver_leaving, receiver_full.
    """
    branch.rulebook.permissions.require(actor, PLAN)
    today = branch.today(clock())
    person = dossier.person(conn, staff_no)
    if not person.is_there:
        raise staff_left(staff_no)
    effective_on = _effective(on, person, today, kind)
    wanted = _checked(conn, person, kind, options or PlanOptions(), effective_on)
    drawn = draw(conn, branch, person, kind, wanted, max(today, effective_on), today, by_hand=True)
    return store(conn, branch, actor, staff_no, kind, effective_on, wanted, drawn, clock=clock, why="planned_anew")


def _effective(on: date | None, person: Person, today: date, kind: str) -> date:
    if on is None:
        on = person.leaves_on if kind == DEPARTURE and person.leaves_on is not None else today
    first, last = today - _FURTHEST, today + _FURTHEST
    if not first <= on <= last:
        raise CallerError(
            "day_out_of_range", f"日期须在{first}与{last}之间", f"the day must lie between {first} and {last}",
            field="on", earliest=first.isoformat(), latest=last.isoformat(),
        )  # fmt: skip
    return on


def _checked(conn: Connection, person: Person, kind: str, wanted: PlanOptions, on: date) -> PlanOptions:
    """The options with the region that the team lies in; receivers once each, in order."""
    receivers = tuple(dict.fromkeys(wanted.receivers))
    if kind == DEPARTURE:
        if wanted.team is not None or wanted.region is not None:
            raise CallerError("home_not_wanted")
        return PlanOptions(receivers)
    if wanted.team is None and wanted.region is None:
        raise CallerError("home_needed")
    team = folded(wanted.team)
    region = places.check(conn, team, folded(wanted.region))
    home = person.home_on(on)
    if home is not None and (home.team, home.region) == (team, region):
        raise CallerError(
            "nothing_changes", f"员工{person.staff_no}已属于该团队、区域",
            f"{person.staff_no} belongs to that team and region already", staff_no=person.staff_no,
        )  # fmt: skip
    return PlanOptions(receivers, team, region)


# ── drawing it up ───────────────────────────────────────────────────────────────────────────────────────────


class Drawn(NamedTuple):
    """A plan before it is stored."""

    moves: list[Move]
    shown: preview.Preview


def draw(
    conn: Connection, branch: Branch, person: Person, kind: str, wanted: PlanOptions, on: date, today: date, *,
    by_hand: bool,
) -> Drawn:  # fmt: skip
    """The moves and the preview, as the register is to be `on` that day.

    `by_hand`: somebody is there to be shown receivers who may not be (CallerErrors as `plan`); otherwise they are
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
        carried=standing.carried_by(conn, branch, moving), kinds=standing.kinds_of(branch),
        stays=len(found) - len(moving), ending=standing.ending_of(conn, person.staff_no, moving, today=today),
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
            raise CallerError(code, receiver=receiver)
    return tuple(found)


def unfit(receiver: str, goes: str, roster: Roster, going: Collection[str], posts: frozenset[str]) -> str | None:
    """Why somebody may not receive cases of `goes`, if they may not."""
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
    found: Sequence[Case], goes: str, kind: str, wanted: PlanOptions, among: Candidates, branch: Branch
) -> list[Case]:
    """The cases that are to change hands; of somebody who moves, some stay with them (`moves.stays`)."""
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
        who = sorted(one.staff_no for one in named)
        raise CallerError(
            "receiver_full", f"{'、'.join(who)}共可再接收{room}件，需移交{needed}件在办案件",
            f"{', '.join(who)} can take {room} more open cases, and {needed} are to be handed over", receivers=who,
            room=room, needed=needed,
        )  # fmt: skip


# ── storing it ──────────────────────────────────────────────────────────────────────────────────────────────


def store(
    conn: Connection, branch: Branch, actor: Actor, staff_no: str, kind: str, effective_on: date, wanted: PlanOptions,
    drawn: Drawn, *, clock: Clock, why: str, differences: Mapping[str, Any] | None = None,
    planned_by: str | None = None,
) -> int:  # fmt: skip
    """Write a plan with its entry, and ask for its approval; an open one of the same person is replaced, and says why.

    `planned_by`: who planned first, if the service only plans it anew; then the service asks, and they are still no
    other person who might approve it.
    TryAgain if somebody else plans for the same person at this moment.
    """
    trail, shown = branch.trail(clock()), preview.encoded(drawn.shown)
    (number,) = rows.next_ids(conn, f"{handovers.name}_id_seq", handovers, 1)
    old = conn.execute(_OPEN_ONE, {"who": staff_no}).one_or_none()
    if old is not None:
        replaced, given = HANDOVERS.rows.read(old), {"by": number, "why": why}
        differing = differences or {}
        recording.record(conn, branch, trail, replaced, "replaced", actor, differing, given=given, reason_code=why)
        reason = "case_changed" if why == CHANGED else "other"
        send_back_about(conn, branch, trail, replaced.stream, actor, reason)
    said = {
        "staff_no": staff_no, "kind": kind, "effective_on": effective_on.isoformat(),
        "planned_by": planned_by or actor.id, "plan_digest": digest_of(encoded(wanted), shown, drawn.moves),
        "cases": drawn.shown.cases, "overdue_fen": drawn.shown.overdue_fen, "unplaced": drawn.shown.unplaced,
        "stays": drawn.shown.stays, "named": list(wanted.receivers), "team": wanted.team, "region": wanted.region,
        "receivers": [
            {"receiver": one.receiver, "cases": one.cases, "overdue_fen": one.overdue_fen}
            for one in drawn.shown.receivers
        ],
        "request": None, "replaces": old.id if old else None,
    }  # fmt: skip
    fresh, draft = recording.begun(branch, trail, number, kind, actor, said)
    try:
        recording.insert(conn, fresh, shown)
    except Exception as error:
        if is_conflict(error):
            raise TryAgain("database_busy", "somebody else plans for the same person at this moment") from error
        raise
    rows.insert_many(conn, handover_moves, [(number, *msgspec.structs.astuple(one)) for one in drawn.moves], _MOVE_ROW)
    if fresh.unplaced == 0:
        asker = actor if planned_by is None else system(actor.via)
        draft.data["request"] = fresh.request = _asked(conn, branch, asker, fresh, clock)
    recording.put(conn, trail, fresh, draft)
    trail.write(conn)
    return number


def _asked(conn: Connection, branch: Branch, asker: Actor, plan: Handover, clock: Clock) -> int:
    """Ask that the plan be approved as it was shown; the request's id. CallerError with every reason why not."""
    asked = four_eyes.ask(
        conn, branch, actor=asker, kind=HANDOVER.word, subject=plan.stream, what=plan.opened_for,
        data=asked_with(plan, asker), clock=clock,
    )  # fmt: skip
    if isinstance(asked, Asked):
        return asked.request_id
    told = [msgspec.to_builtins(one) for one in asked.reasons]
    first = asked.reasons[0]
    raise CallerError(first.code, first.zh, first.en, reasons=told)


def asked_with(plan: Handover, asker: Actor) -> dict[str, Any]:
    """What a request for approval carries; `planner` where another than they asks."""
    planner = {} if plan.planned_by == asker.id else {"planner": plan.planned_by}
    return {"digest": plan.plan_digest, **planner}


def options_of(plan: Handover) -> PlanOptions:
    """What was asked for when it was planned."""
    return PlanOptions(plan.named, plan.team, plan.region)


encoded = msgspec.json.Encoder(order="deterministic").encode
"""Options as the digest covers them."""
_MOVE_ROW = ("handover_id", *MOVE_COLUMNS)
_OPEN_ONE = (
    select_of(HANDOVERS)
    .where(handovers.c.staff_no == sa.bindparam("who"), handovers.c.live == sa.true())
    .with_for_update()
)
