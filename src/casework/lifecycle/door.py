"""Deciding a batch: each command against the gathered subjects as the commands before it left them.

`casework.lifecycle.advance` gathers, hands commands to a `Door`, and writes what it says. What a noun adds stands in
its own module (`casework.lifecycle.noun`).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar

from casework.customer import Customer
from casework.lifecycle import fold
from casework.lifecycle.batch import Batch
from casework.lifecycle.commands import Done, Fire, Mistaken, Move, Note, Open, Outcome, Record
from casework.lifecycle.fold import DATED
from casework.lifecycle.follows import barred
from casework.lifecycle.follows import follow as follows
from casework.lifecycle.kept import Kept
from casework.lifecycle.opening import no_such, open_
from casework.lifecycle.reasons import (
    by,
    changed_since_asked,
    involved_before,
    no_request_needed,
    on_record,
    request_needed,
)
from casework.lifecycle.versions import lives_under, not_moved, why_not
from casework.people.staff.actor import Actor, system
from casework.rules.statechart.chart import Chart, Event, Tell
from casework.rules.statechart.decide import (
    Reason,
    Refusal,
    Step,
    decide,
    unmet,
)
from casework.rules.statechart.fields import Field, take

_NOTE = {"note": Field("note", "text", "备注", "note", False, {}, False, False, ())}
_EVIDENCE = {"evidence": Field("evidence", "ref", "证据", "evidence", False, {}, False, False, ())}
_RULE_OF_MOVES = ("5.4",)


class Door(Batch):
    """Takes commands: each is decided, and happens if it may."""

    def take(self, command: Any) -> Outcome:
        """Decide one command and, if it may be, let it happen to the subject in memory."""
        noun = self.main if command.noun is None else self.nouns[command.noun]
        verb = noun.verbs.get(type(command))
        if isinstance(command, Open):
            told: Outcome = (verb or open_)(self, noun, command)
            return told
        subject = self.gathered.subjects.get((noun.chart, command.id))
        if subject is None or not self.sees(command.actor, noun, subject):  # strangers learn nothing, not even a 412
            code = self.missing if subject is None else "unknown"
            return Mistaken(f"{code}_{noun.word}" if code == "unknown" else f"{noun.word}_busy", command.id)
        if command.version is not None and command.version != subject.version:
            return Mistaken("stale_version", subject.id, subject.version)
        if verb is not None:
            told = verb(self, command, subject)
        else:
            told = self._verbs[type(command)](self, noun, command, subject)
        return told

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _fire(self, noun: Kept, command: Fire, subject: Any) -> Outcome:
        chart = self.charts[noun.chart]
        spec = chart.events.get(command.event)
        if spec is None:
            fault = no_such("event", command.event, chart.events)
            return Mistaken("unknown_event", subject.id, subject.version, (fault,))
        today, policy = self.on(noun, subject)
        posts = command.cleared.approvers if command.cleared else spec.posts
        authority = self.authority(command.actor, posts, noun, subject, policy, spec.rules, spec.only_own)
        if isinstance(authority, Refusal):  # before the data: nobody learns a form that is not theirs
            return self.refuse(noun, subject, command.event, command.actor, authority, {}, today, policy)
        if not lives_under(chart, subject):
            refusal = Refusal((not_moved(chart, subject),))
            return self.refuse(noun, subject, command.event, command.actor, refusal, {}, today, policy)
        on = command.dated or today
        given, texts, faults = take(
            spec.fields, command.data, today=on, latest=max(today, self.today), policy=policy, zone=self.zone
        )
        if faults and subject.state in spec.arcs:
            return Mistaken("faulty_data", subject.id, subject.version, tuple(faults))
        gathered = noun.beside(self, subject, given | texts) if noun.beside else {}
        now = noun.situation(
            subject, on, policy, command.actor.id, given, gathered, None, self.parent_of(noun, subject)
        )
        verdict = self._verdict(command, chart, spec, subject, now)
        if spec.fires is not None and isinstance(verdict, Step):
            verdict = barred(self, spec.fires, noun, subject, given, command.actor) or verdict
        data: dict[str, Any] = {"given": given} | ({"gathered": gathered} if gathered else {})
        if on != today:
            data[DATED] = on.isoformat()
        if command.cleared is not None:
            data["four_eyes"] = _on_file(command)
        if isinstance(verdict, Refusal):
            asking = {"asking": True} if command.asking is not None else {}
            return self.refuse(noun, subject, command.event, command.actor, verdict, data | asking, today, policy)
        data |= by(authority)
        if flags := unmet(spec.flags, now):
            data["flags"] = [on_record(flag) for flag in flags]
        says = noun.says
        if command.asking is not None:
            data["request"] = command.asking
            draft = self.draft(
                noun, f"{says.asked}{command.event}", command.actor, data, today, policy, spec.rules, texts
            )
            return self.happen(noun, subject, draft, subject.state, policy)
        follow = noun.following(self, subject, verdict.to, texts) if noun.following else None
        draft = self.draft(noun, f"{says.step}{command.event}", command.actor, data, today, policy, spec.rules, texts)
        done = self.happen(noun, subject, draft, verdict.to, policy)
        self.tell(noun, subject, spec.tells, command.actor, done.entry_id, on)
        follows(self, spec.fires, noun, subject, command.actor, command.data, on)
        if follow is None:
            return done
        follow(command.actor)
        return Done(subject.id, subject.version, done.from_state, done.state, done.entry_id)

    def fire_main(self, command: Fire, subject: Any) -> Outcome:
        """What a child's act makes of its parent (`casework.lifecycle.follows`)."""
        return self._fire(self.main, command, subject)

    def _verdict(self, command: Fire, chart: Chart, spec: Event, subject: Any, now: Any) -> Step | Refusal:
        """What chart and four eyes say together."""
        verdict = decide(chart, command.event, subject.state, now, spec.posts)
        more: list[Reason] = []
        if command.cleared is not None:
            pinned = command.cleared.material_version
            if pinned != subject.material:
                more.append(changed_since_asked(subject.material, pinned))
            if command.actor.people & command.cleared.involved:
                more.append(involved_before(command.actor.people & command.cleared.involved))
        elif spec.four_eyes is not None and command.asking is None:
            more.append(request_needed(spec))
        elif spec.four_eyes is None and command.asking is not None:
            more.append(no_request_needed(spec))
        if not more:
            return verdict
        return Refusal((*more, *(verdict.reasons if isinstance(verdict, Refusal) else ())))

    # ── facts, notes ────────────────────────────────────────────────────────────────────────────────────────────────

    def _record(self, noun: Kept, command: Record, subject: Any) -> Outcome:
        facts = self.charts[noun.chart].facts
        kind = facts.get(command.kind)
        if kind is None:
            return Mistaken("unknown_fact", subject.id, subject.version, (no_such("kind", command.kind, facts),))
        today, policy = self.on(noun, subject)
        authority = self.authority(command.actor, kind.posts, noun, subject, policy, kind.rules, kind.only_own)
        if isinstance(authority, Refusal):
            return self.refuse(noun, subject, command.kind, command.actor, authority, {}, today, policy)
        latest = max(today, self.today)
        given, texts, faults = take(
            kind.fields, command.data, today=today, latest=latest, policy=policy, zone=self.zone
        )
        faults += take(_EVIDENCE, {"evidence": command.evidence}, today=today, latest=latest)[2]
        faults += subject.day_faults(command.on, latest, policy)
        if faults:
            return Mistaken("faulty_data", subject.id, subject.version, tuple(faults))
        data = {"on": command.on.isoformat(), "evidence": command.evidence, "given": given}
        now = noun.situation(
            subject, today, policy, command.actor.id, given, {}, command.on, self.parent_of(noun, subject)
        )
        reasons = unmet(kind.guards, now)
        if reasons:
            return self.refuse(noun, subject, command.kind, command.actor, Refusal(reasons), data, today, policy)
        data |= by(authority)
        follow = noun.following(self, subject, subject.state, texts) if noun.following else None
        draft = self.draft(
            noun, f"{noun.says.fact}{command.kind}", command.actor, data, today, policy, kind.rules, texts
        )
        done = self.happen(noun, subject, draft, subject.state, policy)
        if follow is None:
            return done
        follow(command.actor)
        return Done(subject.id, subject.version, done.from_state, done.state, done.entry_id)

    def _note(self, noun: Kept, command: Note, subject: Any) -> Outcome:
        today, policy = self.on(noun, subject)
        row = self.permissions.commands[f"{noun.word}.note"]
        authority = self.authority(command.actor, row.posts, noun, subject, policy, row.rules)
        if isinstance(authority, Refusal):
            return self.refuse(noun, subject, "note", command.actor, authority, {}, today, policy)
        _, texts, faults = take(_NOTE, {"note": command.text}, today=today, latest=today)
        if faults:
            return Mistaken("faulty_data", subject.id, subject.version, tuple(faults))
        draft = self.draft(noun, noun.says.noted, command.actor, by(authority), today, policy, (), texts)
        return self.happen(noun, subject, draft, subject.state, policy)

    def _move(self, noun: Kept, command: Move, subject: Any) -> Outcome:
        """To the next version of its chart; its owner stays whoever it is until the next step."""
        chart = command.chart
        why = why_not(chart, subject.state, subject.chart, live=subject.live)
        if why is not None:
            return Mistaken(why, subject.id, subject.version)
        today, policy = self.on(noun, subject)
        came_from, to = subject.state, chart.moves[subject.state]
        data = {"from_chart": subject.chart, "request": command.request}
        draft = self.draft(noun, noun.says.moved, command.actor, data, today, policy, _RULE_OF_MOVES)
        draft.chart = chart.ref
        fold.apply(noun, subject, draft.event, to, command.actor.id, data, chart, policy, self.parent_of(noun, subject))
        return self.seal(noun, subject, draft, came_from, to)

    # ── who is told ─────────────────────────────────────────────────────────────────────────────────────────────────

    def tell(
        self, noun: Kept, subject: Any, tells: Sequence[Tell], actor: Actor, entry_id: str, happened: date
    ) -> None:
        """The parent, or whoever is concerned, learns it as a fact of their own, in the same transaction."""
        for tell in tells:
            on = self._told_on(tell, subject, happened)
            of, concerned = self._concerned(noun, subject)
            evidence = f"{noun.word}:{subject.id}" if noun.of_customer else entry_id
            for one in concerned:
                self.told(of, one, tell.fact, on, evidence, tell.filled(subject), actor)

    def told(
        self, of: Kept, one: Any, fact: str, on: date, evidence: str, data: Mapping[str, Any], actor: Actor
    ) -> None:
        """Record a fact that somebody else's entry is the evidence of; RuntimeError if the chart does not take it."""
        command = Record(actor=system(actor.via), id=one.id, kind=fact, on=on, evidence=evidence, data=data)
        outcome = self._record(of, command, one)
        if not isinstance(outcome, Done):
            raise RuntimeError(  # noqa: TRY004  # no wrong type: a law of the charts that was not kept
                f"{of.word} {one.id} does not take the fact {fact}: {outcome}"
            )

    def _concerned(self, noun: Kept, subject: Any) -> tuple[Kept, Sequence[Any]]:
        if noun.child:
            return self.main, [self.parent_of(noun, subject)]
        return self.main, self.bound_by(subject)

    def _told_on(self, tell: Tell, subject: Any, happened: date) -> date:
        day: date = happened if tell.on is None else getattr(subject, tell.on[1:])
        return day

    def tell_in_force(self, new: Any, actor: Actor) -> bool:
        """What concerns the customer of a new main subject is told to it; whether there was anything."""
        found = False
        if not self.gathered.in_force:  # as of nearly all batches
            return found
        for noun, subject in self.gathered.in_force.get(Customer(new.institution, new.borrower_id), ()):
            if subject.binds(new):
                ground = self.charts[noun.chart].openings[subject.opened_for]
                for tell in ground.tells:
                    happened = self.on(noun, subject)[0]
                    evidence, on = f"{noun.word}:{subject.id}", self._told_on(tell, subject, happened)
                    self.told(self.main, new, tell.fact, on, evidence, tell.filled(subject), actor)
                    found = True
        return found

    # The functions, not a door's own methods: it would keep itself, and what it gathered with it, until Python looks
    # for cycles, which seldom happens where thousands of subjects are gathered.
    _verbs: ClassVar[Mapping[type, Any]] = {Fire: _fire, Record: _record, Note: _note, Move: _move}


def _on_file(command: Fire) -> dict[str, Any]:
    """The request that cleared the event, as its entry keeps it."""
    cleared = command.cleared
    if cleared is None:
        raise ValueError("only what four eyes cleared has a request")
    return {
        "request": cleared.request_id, "topic": cleared.topic, "asked_by": cleared.asked_by,
        "reviewed_by": cleared.reviewed_by, "material_version": cleared.material_version,
    }  # fmt: skip
