"""An information repair on its page: sources tried, refused ones with their rule, what is found; who is left."""

from collections.abc import Callable

import pytest

from casework.customer import Customer
from casework.storage.database import writing
from tests.api.conftest import BUSINESS_DATE, Running
from tests.console.conftest import Browsing
from tests.on_books import put_borrower, put_loan

Browse = Callable[..., Browsing]
TRY, NOTHING = {"event": "try_source"}, {"event": "find_nothing"}
FOUND = {"role": "debtor", "from": "liable_person/contract", "phone": "120 0000 0001"}


@pytest.fixture
def repair(running: Running) -> str:
    """Under way, of R1's case, whose debtor is on the books: where its page is."""
    with writing(running.started.engine) as conn:
        put_loan(
            conn, running.started.branch, loan_id="L1", institution="wuhan", borrower_id="B-L1", product="consumer",
            owner_staff_no="R1", team="T1", region="R1", principal_fen=9_000_000, outstanding_principal_fen=5_000_000,
            row_hash=b"1",
        )  # fmt: skip
        put_borrower(
            conn, running.started.branch, Customer("wuhan", "B-L1"), name="甄不存", id_number="000000199001010001"
        )
    (case_id,) = running.open("L1")
    made = running.post("/repairs", json={"of": case_id, "ground": "started", "data": {"because": "lost_contact"}})
    assert made.status_code == 201, made.text
    return f"/console/repairs/{made.json()['id']}"


def test_sources_are_tried_one_by_one_until_nothing_may_be_said(browse: Browse, repair: str) -> None:
    someone, work = browse("R1"), f"{repair}/work"
    someone.get(repair)
    assert f'href="{work}"' in someone.page.text
    someone.get(work)
    for text in ("尚未查询任何来源", "1.3.2c", "快递", "来源不明"):
        assert text in someone.text(), text
    assert "只查询了0个不同来源" in someone.text()
    token = someone.page.text.split('name="form_token" value="')[1].split('"')[0]
    assert someone.post(work, {"form_token": token, **NOTHING}).status_code == 409
    for source in ("lender_records", "court", "debtor"):
        someone.get(work)
        assert someone.send(work, TRY, data__source=source).status_code == 303, someone.text()
    someone.get(work)
    assert 'value="court"' not in someone.page.text.split("data.source")[1].split("</select>")[0]
    assert someone.send(work, NOTHING).status_code == 303, someone.text()
    someone.get(f"{work}?done=find_nothing")
    for text in ("未修复到，结论有效至", "已办理：未修复到，结束"):
        assert text in someone.text()


@pytest.mark.parametrize("source", ["courier", "hearsay"])
def test_a_source_that_is_refused_or_unknown_is_refused_with_its_rule(browse: Browse, repair: str, source: str) -> None:
    someone, work = browse("R1"), f"{repair}/work"
    someone.get(work)
    assert someone.send(work, TRY, data__source=source).status_code == 409
    assert "不得使用" in someone.text()
    assert "1.3.2c" in someone.page.text.split('id="errors"')[1].split("</div>")[0]


def test_what_is_found_enters_the_contact_book_and_ends_it(browse: Browse, running: Running, repair: str) -> None:
    someone, work = browse("R1"), f"{repair}/work"
    someone.get(work)
    answer = someone.send(f"{repair}/findings", **FOUND | {"from": "courier/contract"})
    assert (answer.status_code, "快递" in someone.text(), 'value="120 0000 0001"' in answer.text) == (422, True, True)
    answer = someone.send(f"{repair}/findings", **FOUND | {"phone": "12"})
    assert answer.status_code == 422
    assert someone.send(f"{repair}/findings", **FOUND).status_code == 303, someone.text()
    someone.get(work)
    assert "已修复" in someone.text()
    assert running.get(repair.removeprefix("/console")).json()["outcome"] == "new_number"


def test_sources_and_grounds_are_words_wherever_a_repair_is_shown(
    browse: Browse, running: Running, repair: str
) -> None:
    """On its page and in its lists in both languages, in its file, among what its form offers."""
    place = repair.removeprefix("/console")
    options = running.get(f"{place}/options").json()["events"]
    (offered,) = next(one["data"] for one in options if one["event"] == "try_source")[:1]
    assert {"code": "court", "zh": "法院调查令或者诉讼材料", "en": "order or papers of a court"} in offered["one_of"]
    assert "courier" not in {one["code"] for one in offered["one_of"]}
    tried = {"event": "try_source", "data": {"source": "lender_records"}}
    assert running.post(f"{place}/events", json=tried, headers={"If-Match": "*"}).status_code == 200
    found = {"role": "debtor", "source": "liable_person", "legal_basis": "contract", "phone": "12000000001"}
    assert running.post(f"{place}/findings", json=found, headers={"If-Match": "*"}).status_code == 200
    someone = browse("R1")
    words = {
        "zh": ("本机构既有业务资料", "共同借款人、担保人提供", "履行合同所必需"),
        "en": ("records of the lender", "a co-borrower or guarantor gave it", "needed to perform the contract"),
    }  # fmt: skip
    for lang, said in words.items():
        someone.get(repair)
        someone.send("/console/language", lang=lang)
        someone.get(repair)
        assert all(one in someone.text() for one in said), someone.text()
        assert not {"liable_person", "lender_records"} & set(someone.text().split())
    listed = running.get("/repairs.csv?all=true").text
    assert ("liable_person" in listed, words["zh"][1] in listed) == (False, True), listed


def test_whoever_may_not_repair_sees_no_forms(browse: Browse, repair: str) -> None:
    someone = browse("AUD1")
    someone.get(f"{repair}/work")
    assert "/findings" not in someone.page.text
    token = someone.page.text.split('name="form_token" value="')[1].split('"')[0]
    assert someone.post(f"{repair}/findings", {"form_token": token, **FOUND}).status_code == 403


def test_who_could_not_be_repaired_is_a_list_of_the_evening(browse: Browse) -> None:
    someone, place = browse("B1"), "/console/evening/unrepaired"
    someone.get("/console/evening")
    assert place in someone.page.text
    assert someone.get(f"{place}?on={BUSINESS_DATE}").status_code == 200
    assert "没有无法修复的客户" in someone.text()
    assert someone.get(f"{place}?on=2126-01-01").status_code == 422
    assert browse("R1").get(place).status_code == 403
