"""What may be done with a fixed set of cases, word for word in both languages, as their people are shown it.

A reason is named by its code and a digest; its words stand once, at the end, and so do the forms.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from tests.net import house as ways
from tests.net.house import DAY, DAYS_PAST_DUE, EARLY, LATER, STATES, TODAY, House

_LARGE = "120000.00"


def _promised(house: House, loan: str) -> None:
    house.taken_in("contact", ways.call(loan, TODAY, 10, "debtor"))
    pay_by = TODAY + timedelta(days=5)
    house.taken_in(
        "promise",
        {"ref": "P-1", "loan_id": loan, "made_on": TODAY.isoformat(), "pay_by": pay_by.isoformat(), "amount": "1000"},
    )


def _held(house: House, loan: str) -> None:
    house.taken_in("hold", {"loan_id": loan, "hold": "dispute", "from": DAY.isoformat(), "until": ""})


def _tried(house: House, loan: str) -> None:
    ways.silent(house, loan, 2, 2, 1)


def _excepted(house: House, loan: str) -> None:
    house.fire(loan, "B1", "grant_exception", reason="hardship", expires_on=LATER)


def _pending(house: House, loan: str) -> None:
    ways.for_suit(house, loan)
    house.asked(loan, "P1", "sue", claim_fen=100)


_PREPARED: Mapping[str, Callable[[House, str], None]] = {
    "held": _held, "promised": _promised, "tried": _tried, "excepted": _excepted, "pending": _pending,
    "fit": ways.agency_file, "early": ways.visited, "large": ways.visited,
}  # fmt: skip
"""Cases with something of their own, and what was done with them; beside them one in each state."""
_READERS = {"litigation": ("A1", "P1"), "written_off": ("A1",), "phone_collection": ("B1", "P1")}
"""Who is shown a case; the post-loan officer, unless it is somebody else's to work on."""
_AT_THE_SHELL = (("lost_contact", "P1"), ("pending", "B1"))
_REASON = ("code", "rules", "saw", "needs", "zh", "en", "opens_on")
_FORM = ("zh", "en", "rules", "posts", "data")
_REFUSED = (("held", "P1", "start_visit"), ("tried", "system", "mark_lost"), ("settled", "A1", "withdraw"))


def loan_of(name: str) -> str:
    """The loan of this case."""
    return f"3.{name}"


def loans() -> dict[str, int]:
    """The loans, each so many days past due."""
    return {loan_of(name): EARLY if name == "early" else DAYS_PAST_DUE for name in (*STATES, *_PREPARED)}


def principals() -> dict[str, str]:
    """Where the principal is not the usual one."""
    return {loan_of("large"): _LARGE}


def states() -> dict[str, str]:
    """The state into which each is brought."""
    return {loan_of(name): name for name in STATES}


def prepare(house: House) -> None:
    """What is done with those that have something of their own."""
    for name, work in _PREPARED.items():
        work(house, loan_of(name))


def told(house: House) -> Iterator[str]:
    """Everything that is shown."""
    words: dict[str, str] = {}
    for name in (*STATES, *_PREPARED):
        for who in _READERS.get(name, ("P1",)):
            shown = house.api.get(who, f"/cases/{house.cases[loan_of(name)]}/options")
            yield f"\n== {name}: {shown['state']} on {shown['business_date']}, shown to {who}"
            yield from _events(shown["events"], words)
            yield from _facts(shown["facts"], words)
    yield "\n== words"
    yield from (f"{key}: {words[key]}" for key in sorted(words))
    yield from _at_the_shell(house)


def _events(offers: list[dict[str, Any]], words: dict[str, str]) -> Iterator[str]:
    """A line for each event that belongs to the state; the others in one."""
    others = []
    for offer in offers:
        name, codes = offer["event"], [reason["code"] for reason in offer["reasons"]]
        _form(name, {key: offer[key] for key in (*_FORM, "four_eyes")}, words)
        if "wrong_state" in codes:
            others.append(offer)
            continue
        leads_to = " ".join(offer["leads_to"])
        parts = [f"{name:<20} {'may' if offer['allowed'] else 'not'} → {leads_to}"]
        parts += [_reason(one, words) for one in (*offer["reasons"], *offer["flags"])]
        if offer["opens_on"]:
            parts.append(f"opens on {offer['opens_on']}")
        if offer["request"]:
            request = {key: value for key, value in offer["request"].items() if key not in ("id", "expires_on")}
            parts.append(json.dumps(request, ensure_ascii=False))
        yield " ".join(parts)
    said = [(one["leads_to"], [{key: why[key] for key in _REASON} for why in one["reasons"]]) for one in others]
    names = " ".join(one["event"] for one in others)
    yield f"other states' ~{_digest(json.dumps(said, ensure_ascii=False))}: {names}"


def _facts(offers: list[dict[str, Any]], words: dict[str, str]) -> Iterator[str]:
    may, not_ = list[str](), list[str]()
    for offer in offers:
        _form(offer["kind"], {key: offer[key] for key in _FORM}, words)
        reasons = [_reason(one, words) for one in offer["reasons"]]
        (may if offer["allowed"] else not_).append(" ".join([offer["kind"], *reasons]))
    yield f"facts that may be recorded: {', '.join(may)}"
    yield f"and those that may not: {', '.join(not_)}"


def _form(name: str, said: Mapping[str, Any], words: dict[str, str]) -> None:
    """A form is the same for every case and reader."""
    text = json.dumps(said, ensure_ascii=False)
    assert words.setdefault(f"form of {name}", text) == text, name


def _reason(said: Mapping[str, Any], words: dict[str, str]) -> str:
    """Its code, and which of the words with this code; what a post may not is said of every event alike."""
    code = str(said["code"])
    if code == "post_not_permitted":
        return code
    text = json.dumps({key: said[key] for key in _REASON}, ensure_ascii=False)
    key = f"{code}~{_digest(text)}"
    assert words.setdefault(key, text) == text, key
    return key


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:4]


def _at_the_shell(house: House) -> Iterator[str]:
    for name, who in _AT_THE_SHELL:
        yield f"\n== at the shell: options of {name} for {who}"
        said = house.branch.do("case", "options", str(house.cases[loan_of(name)]), "--as", who)
        yield from (_undated(line).rstrip() for line in said.out.splitlines())
    for name, who, event in _REFUSED:
        as_ = () if who == "system" else ("--as", who)
        data = ("--data-json", json.dumps(ways.VISIT)) if event == "start_visit" else ()
        data = ("--data", "reason=agreement") if event == "withdraw" else data
        said = house.branch.try_("case", "advance", str(house.cases[loan_of(name)]), event, *data, *as_)
        yield f"\n== at the shell: {event} of {name} by {who}, exit code {said.code}"
        yield from (said.out + said.err).splitlines()


def _undated(line: str) -> str:
    """Without the days that are counted from today."""
    return re.sub(r"\b20(2[6-9]|[3-9]\d)-\d\d-\d\d\b", "DAY", line)
