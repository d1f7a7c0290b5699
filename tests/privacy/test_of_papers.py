"""Of repairs, disposal forms, visits and photos nothing of an erased debtor is left to read, by any way there is."""

import io
import itertools
import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from casework.address import parse_url
from casework.clock import now
from casework.customer import Customer
from casework.lifecycle.commands import Done, Fire
from casework.log.write.data_keys import keys_for
from casework.oversight.privacy.columns import PERSONAL
from casework.oversight.privacy.erase import Erasure, erase
from casework.oversight.privacy.scrub import found_in, scrub
from casework.people.staff.actor import system
from casework.personal import DoesNotOpen
from casework.storage.database import metadata, reading, writing
from casework.work.cases.commands import Measure
from casework.work.photos.dropping import drop_files
from casework.work.photos.storing import place_of
from casework.work.photos.tables import PREVIEW, photos
from tests.api.conftest import Running, findings, measure
from tests.cli.test_sealing import Shell
from tests.console.conftest import Browsing, assembled, branch, browse, database, furnished, running, settings
from tests.on_books import put_borrower, put_loan
from tests.ordered import ordered_early
from tests.test_pictures import scene, written

__all__ = ["assembled", "branch", "browse", "database", "furnished", "running", "settings"]
DAY = "2026-01-10"
SEEN = {
    "outcome": "found", "person_met": "debtor", "house": "confirmed", "workplace": "not_checked",
    "attitude": "cooperative", "ability": "able", "next_step": "call",
}  # fmt: skip
KINDS = (
    "name", "found phone", "found address", "found name", "source remark", "form service", "form collateral",
    "form assets", "form remark", "returned remark", "refused assets", "visit address", "check-in place",
    "report assets", "statement", "risk remark", "photo place", "photo device", "visit note",
)  # fmt: skip


def secret(kind: str, number: int) -> str:
    """A text of one of a debtor's papers that stands nowhere else."""
    if kind == "found phone":
        return f"1200777003{number}"
    return f"密{KINDS.index(kind):02}之{number}号"


def customer(number: int) -> Customer:
    return Customer("wuhan", f"B-L{number}")


def on_books(running: Running, number: int) -> int:
    """A debtor with a name on the books, whose case is R1's; its number."""
    loan = {
        "loan_id": f"L{number}", "institution": "wuhan", "borrower_id": f"B-L{number}", "product": "consumer",
        "owner_staff_no": "R1", "team": "T1", "region": "R1", "principal_fen": 9_000_000,
        "outstanding_principal_fen": 5_000_000, "row_hash": bytes([number]),
    }  # fmt: skip
    with writing(running.started.engine) as conn:
        put_loan(conn, running.started.branch, **loan)
        put_borrower(
            conn, running.started.branch, customer(number), name=secret("name", number), id_number=f"{number:018}"
        )
    (case_id,) = running.open(f"L{number}")
    return case_id


_keys = itertools.count(1)


def sent(running: Running, path: str, staff_no: str = "R1", status: int = 200, **body: Any) -> Any:
    """Sent with a key, so that the answer is stored."""
    headers = {"If-Match": "*", "Idempotency-Key": f"papers-{next(_keys)}"}
    answer = running.post(path, staff_no, json=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def opened(running: Running, noun: str, case_id: int, ground: str, status: int = 201, **data: Any) -> Any:
    return sent(running, f"/{noun}", status=status, of=case_id, ground=ground, data=data)


def repaired(running: Running, case_id: int, number: int) -> None:
    """Sources tried with a remark, and a number, an address and a name that were found."""
    repair = opened(running, "repairs", case_id, "started", because="lost_contact")["id"]
    tried = {"source": "lender_records", "remark": secret("source remark", number)}
    sent(running, f"/repairs/{repair}/events", event="try_source", data=tried)
    sent(
        running, f"/repairs/{repair}/findings", role="debtor", source="liable_person", legal_basis="contract",
        phone=secret("found phone", number), address=secret("found address", number), address_kind="home",
        name=secret("found name", number),
    )  # fmt: skip


def drawn_up(running: Running, case_id: int, number: int) -> None:
    """A form with texts that was refused first and returned later."""
    form: dict[str, Any] = {
        "proposal": "suit", "contract_no": "HT-1", "overdue_since": DAY, "principal_fen": 100_000, "interest_fen": 0,
        "penalty_fen": 0, "security": "guarantor", "has_contract": True, "has_disbursement": True, "has_demand": True,
        "has_statement": True, "service_agreed": True, "jurisdiction": "lender_seat",
        "limitation_ends_on": "2027-01-10", "calls": 1, "visits": 1, "promises_broken": 0,
        "service_address": secret("form service", number),
        "collateral": secret("form collateral", number), "assets": secret("form assets", number),
    }  # fmt: skip
    too_much = form | {"principal_fen": 10**10, "assets": secret("refused assets", number)}
    opened(running, "disposals", case_id, "drawn_up", status=409, **too_much)
    made = opened(running, "disposals", case_id, "drawn_up", **form, remark=secret("form remark", number))["id"]
    back = {"reason": "addresses", "remark": secret("returned remark", number)}
    sent(running, f"/disposals/{made}/events", "A1", event="send_back", data=back)


def visited(running: Running, case_id: int, number: int) -> None:
    """A visit with a photo, a report and a note; another that was broken off."""
    order: dict[str, Any] = {"address_kind": "home", "address": secret("visit address", number), "visit_on": DAY}
    whole = {"address": order["address"], "second_visitor": "P1"}
    visit = ordered_early(running.started, case_id, date.fromisoformat(DAY), **whole)
    place = f"/visits/{visit}/events"
    at = {"at": f"{DAY}T1{number}:00:00+08:00", "place": secret("check-in place", number)}
    sent(running, place, event="check_in", data=at)
    photo = written(scene(number, (400, 300)))
    told = {
        "shows": "building", "taken_at": f"{DAY}T1{number}:05:00+08:00", "place": secret("photo place", number),
        "device": secret("photo device", number),
    }  # fmt: skip
    kept = running.post(f"/visits/{visit}/photos", files={"file": ("a.jpg", photo)}, data=told)
    assert kept.status_code == 201, kept.text
    sent(running, place, event="check_out", data={"at": f"{DAY}T1{number}:30:00+08:00"})
    texts = {"assets": secret("report assets", number), "statement": secret("statement", number)}
    sent(running, place, event="report", data=SEEN | texts)
    running.post(f"/visits/{visit}/notes", json={"text": secret("visit note", number)})
    order["visit_on"] = str(running.started.branch.today(now()) + timedelta(days=1))
    second = opened(running, "visits", case_id, "ordered", **order, second_visitor="P1")["id"]
    broken = {"reason": "unsafe", "address_risk": "dog", "remark": secret("risk remark", number)}
    sent(running, f"/visits/{second}/events", event="break_off", data=broken)


def over(running: Running, case_id: int) -> None:
    """The arrears are gone: the case is settled."""
    done = running.do(
        Measure(actor=system("feed"), id=case_id, measure=measure(0, bucket="M0"), run=1),
        Fire(actor=system("feed"), id=case_id, event="arrears_cleared", data={"previous_as_of": "2026-01-09"}),
    )
    assert all(isinstance(one, Done) for one in done), done


def erased(running: Running, number: int) -> Erasure:
    with writing(running.started.engine) as conn:
        told = erase(conn, running.started.branch, customer(number), basis="ordered", actor=system("cli"))
    assert isinstance(told, Erasure), told
    return told


# ── every way there is ──────────────────────────────────────────────────────────────────────────────────────────────

VALUES = {
    "number": (1, 2), "visit_id": (1, 2, 3, 4), "case_id": (1, 2), "loan_id": ("L1", "L2"),
    "borrower_id": ("B-L1", "B-L2"), "request_id": (1,), "entry_id": ("case:1:1", "case:1:9", "case:2:9"),
}  # fmt: skip
OF_NO_DEBTOR = {
    "name",
    "kind",
    "code",
    "run_id",
    "handover_id",
    "staff_no",
    "tile_path",
    "path",
    "old",
    "rule",
    "whose",
}
ASKED = (
    "/contact-book?loan_id=L{0}", "/contacts?case_id={0}", "/disposals/prefilled?case_id={0}", "/console/find?q=L{0}",
)  # fmt: skip
CLEAR = ["name", "id_number", "phone", "address", "contact_name"]


def said_by(content: bytes) -> str:
    """What a file or an answer says, members of workbooks and archives too."""
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            content = b"\n".join(packed.read(one) for one in packed.namelist())
    text = content.decode(errors="replace")
    return text if "\\u" not in text else text + text.encode("ascii", "ignore").decode("unicode_escape")


def places(running: Running) -> Iterator[str]:
    """Every address that can be looked at, of the API and of the console, for both debtors."""
    for route in running.client.app.routes:
        names = [one.name for one in route.path_parameters.values()] if route.path_parameters else []
        readable = "GET" in getattr(route, "methods", ()) and not route.path_format.startswith("/schema")
        if readable and not set(names) & OF_NO_DEBTOR:
            of_visits = "/visits/" in route.path_format
            names = ["visit_id" if of_visits and name == "number" else name for name in names]
            for values in itertools.product(*(VALUES[name] for name in names)):
                place = re.sub(r"\{\w+\}", "{}", route.path_format).format(*values)
                is_file = place.startswith("/console") and place.endswith((".csv", ".xlsx"))
                yield place + ("?purpose=work" if is_file else "")
    yield from (path.format(number) for path in ASKED for number in (1, 2))


def by_http(running: Running, someone: Browsing, staff_no: str) -> str:
    """All that somebody is shown, and what they ask to be shown in clear."""
    said = []
    for path in places(running):
        answer = someone.get(path) if path.startswith("/console") else running.get(path, staff_no)
        assert answer.status_code < 500, (path, answer.text)
        assert "?purpose" not in path or answer.status_code in (200, 403), (path, someone.text())
        said.append(said_by(answer.content))
    for number in (1, 2):
        asked = {"fields": CLEAR, "purpose": "collection"}
        said.append(running.post(f"/borrowers/B-L{number}/reveal", "B1", json=asked).text)
        said.append(running.get(f"/cases/{number}/dossier?openings=true&purpose=judicial", "B1").text)
    for visit in VALUES["visit_id"]:
        someone.get("/console/visits/today")
        token = someone.page.text.split('name="form_token" value="')[1].split('"')[0]
        said.append(someone.post(f"/console/visits/{visit}/address", {"form_token": token, "purpose": "visit"}).text)
    return "\n".join(said)


def by_shell(shell: Shell, folder: Path) -> str:
    """All that the shell shows, and the files that it writes."""
    folder.mkdir()
    for number in (1, 2):
        shell.run("disposal", "form", str(number), str(folder / f"{number}.xlsx"), "--as", "R1")
        shell.run("audit", "export", str(folder / f"case-{number}"), "--case", str(number))
        dossier = ("case", "dossier", str(number), "--out", str(folder / f"{number}.json"), "--openings")
        shell.run(*dossier, "--purpose", "judicial", "--as", "B1")
    for noun in ("visit", "repair", "disposal"):
        shell.run(noun, "export", str(folder / f"{noun}.csv"), "--all", "--as", "R1")
    said = [said_by(file.read_bytes()) for file in sorted(folder.rglob("*")) if file.is_file()]
    for visit in map(str, VALUES["visit_id"]):
        shows = [("visit", "show"), ("repair", "show"), ("disposal", "show"), ("case", "show"), ("audit", "show")]
        said += [shell.run(*words, visit, "--json").output for words in shows]
    for number in (1, 2):
        said += [shell.run("contact", what, f"L{number}", "--json").output for what in ("book", "list")]
        clear = ("borrower", "reveal", f"B-L{number}", *(word for one in CLEAR for word in ("--field", one)))
        said.append(shell.run(*clear, "--purpose", "collection", "--json", "--as", "B1").output)
    return "\n".join(said)


def kinds_in(said: str, number: int) -> set[str]:
    return {kind for kind in KINDS if secret(kind, number) in said}


def papers(running: Running) -> None:
    """Two debtors with all of it, whose cases are over."""
    cases = [on_books(running, number) for number in (1, 2)]
    for number, case_id in enumerate(cases, 1):
        repaired(running, case_id, number)
        drawn_up(running, case_id, number)
        visited(running, case_id, number)
    for case_id in cases:
        over(running, case_id)


@pytest.mark.only("sqlite")
def test_api_pages_shell_dossier_and_exports_show_nothing_of_who_was_erased_and_all_of_the_other(
    running: Running, browse: Callable[..., Browsing], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers(running)
    shell, someone = Shell(running.started.settings, monkeypatch), browse("R1")

    def read(folder: str) -> list[str]:
        shell.out("audit", "heads")
        return [by_http(running, someone, "R1"), by_shell(shell, tmp_path / folder)]

    before, whole = read("before"), set(KINDS) - {"photo place", "photo device", "refused assets"}
    shown = [kinds_in(way, 2) for way in before]
    assert [kinds_in(way, 1) for way in before] == shown
    assert all(whole <= way for way in shown), [whole - way for way in shown]
    photo = running.get("/photos/1/original").content
    found_before = findings(running.started)
    erased(running, 1)
    after = read("after")
    assert ([kinds_in(way, 1) for way in after], [kinds_in(way, 2) for way in after]) == ([set(), set()], shown)
    asked = [running.get(f"/photos/{number}{part}").status_code for number in (1, 2) for part in ("", "/original")]
    assert (len(photo) > 0, asked) == (True, [404, 404, 200, 200])
    assert findings(running.started) == found_before


def test_rows_and_files_hold_no_sealed_byte_of_who_was_erased_and_the_log_verifies(running: Running) -> None:
    papers(running)
    branch, engine = running.started.branch, running.started.engine
    rows = {number: personal_values(running, number) for number in (1, 2)}
    assert {"openings", "contacts", "photos", "visit_addresses", "idempotency"} <= set(rows[1])
    with reading(engine) as conn:
        stored = dict(conn.execute(sa.select(photos.c.borrower_id, photos.c.stored_as)).all())
    mine, files = stored["B-L1"], branch.files
    content = {name: files.get(name) for name in (mine, mine + PREVIEW)}
    gone = erased(running, 1).gone
    assert personal_values(running, 1) == {}
    assert personal_values(running, 2) == rows[2]
    with writing(engine) as conn:
        new_key = keys_for(conn, branch.vault, ["borrower:wuhan~B-L1"], now())["borrower:wuhan~B-L1"]
        for name in content:
            with pytest.raises(DoesNotOpen):
                new_key.open_bytes(place_of(name), files.get(name))
        conn.rollback()
    assert drop_files(engine, branch) == 1
    folder = Path(files.where)
    assert {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()} == {
        stored["B-L2"], stored["B-L2"] + PREVIEW,
    }  # fmt: skip
    if engine.dialect.name == "sqlite":
        assert scrub(running.started.settings, gone.traces).left == 0
        file = Path(str(parse_url(running.started.settings.database_url).database))
        traces = [one for values in rows[1].values() for one in values if one not in set().union(*rows[2].values())]
        assert not list(found_in(file, traces))
    assert findings(running.started) == []


def personal_values(running: Running, number: int) -> dict[str, set[bytes]]:
    """What is sealed, indexed or printed of a debtor in the columns that are named as personal, by table."""
    held: dict[str, set[bytes]] = {}
    cases = f"case:{number}"
    with reading(running.started.engine) as conn:
        for name, columns in PERSONAL.items():
            table = metadata.tables[name]
            texts = [table.c[one] for one in columns if isinstance(table.c[one].type, sa.LargeBinary)]
            whose = [table.c[one] == value for one, value in
                     (("borrower_id", f"B-L{number}"), ("stream", cases)) if one in table.c]  # fmt: skip
            if name == "idempotency":
                whose = [sa.true()]
            if not texts or not whose:
                continue
            for row in conn.execute(sa.select(*texts).where(sa.or_(*whose))):
                answer = bytes(row[-1] or b"")
                if name != "idempotency" or f"{cases}:".encode() in answer:
                    held.setdefault(name, set()).update(bytes(one) for one in row if one)
    return {name: values for name, values in held.items() if values}
