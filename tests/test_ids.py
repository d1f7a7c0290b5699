"""One alphabet of ids: what goes in, folded, and for each its twin that is none, with the cause."""

import pytest

from casework import ids
from casework.errors import CallerError

GOOD = {
    "L0001": "L0001",
    "0": "0",
    "0012": "0012",
    " L1\xa0": "L1",
    "Ｌ０００１": "L0001",
    "（2026）鄂借字第0001号": "(2026)鄂借字第0001号",
    "(2026)鄂借字第0001号": "(2026)鄂借字第0001号",
    "6222020000001001": "6222020000001001",
    "6222020000000001001": "6222020000000001001",
    "HT-2024_1/2:3#4.5": "HT-2024_1/2:3#4.5",
    "12E4567": "12E4567",
    "2024.0001": "2024.0001",
    "V1.10": "V1.10",
    "N/A1": "N/A1",
    "㐀1": "㐀1",
    "𠮷1": "𠮷1",
    "1" * 64: "1" * 64,
    "合计1": "合计1",
    "2026-0001": "2026-0001",
    "2026-13-01": "2026-13-01",
    "2026/1-2": "2026/1-2",
    "HT2026-01-02": "HT2026-01-02",
    "2026-01-02-1": "2026-01-02-1",
    "第1月2日号": "第1月2日号",
    "JAN-24": "JAN-24",
    "A2-Jan": "A2-Jan",
    "1:2": "1:2",
    "20260102": "20260102",
}
BAD = {
    "missing_value": ["", " \u3000"],
    "text_too_long": ["1" * 65],
    "id_exponent": ["6.22202E+18", "6.22202E18", "6.222020000000001e+18", "6E+18", "１．５Ｅ＋１８"],
    "id_decimal": ["10001.0", "6222020000001001.0", "10001.00", "10001.", "12.5", "12.50", "L1.0", "-12.5"],
    "id_date": [
        "2026-01-02",
        "2026/1/2",
        "2026-01-02T12:30:00",
        "1月2日",
        "2026年1月2日",
        "2-Jan",
        "Jan-24",
        "12:30",
        "12:30:00",
        "２０２６－０１－０２",
    ],
    "id_formula": ['="0012"', "=L1", "'0012", "\u20180012", '"L1"'],
    "error_value": ["#N/A", "#n/a", "#DIV/0!", "#REF!", "＃Ｎ／Ａ"],
    "id_without_digit": ["合计", "TOTAL", "-", "#"],
    "id_invisible_character": ["L0002\u200b", "L00\xad03", "\ufeffL1", "L1\ufe0f", "L1\u3164"],
    "control_character": ["L\x001", "L\u202e1", "L\ud8001"],
    "id_character": ["L 1", "L1,L2", "L1、L2", "L+1", "é1", "L١", "〔2026〕1", "L1?", "1000+1"],
}
SPOILT = [(given, fault) for fault, texts in BAD.items() for given in texts]


@pytest.mark.parametrize(("given", "folded"), GOOD.items())
def test_an_id_is_taken_as_it_folds(given: str, folded: str) -> None:
    assert ids.checked("loan_id", given) == folded
    assert ids.checked("loan_id", folded) == folded


@pytest.mark.parametrize(("given", "fault"), SPOILT)
def test_what_is_no_id_is_refused_with_field_fault_and_what_is_allowed(given: str, fault: str) -> None:
    with pytest.raises(CallerError) as told:
        ids.checked("loan_id", given)
    assert (told.value.code, told.value.facts["field"], told.value.facts["fault"]) == ("id_malformed", "loan_id", fault)
    zh, en = ids.TEXTS[fault]
    assert zh in told.value.zh
    assert en in str(told.value)
    assert "at least one digit" in told.value.facts["needs"]
    assert len(given) < 5 or given not in str(told.value)


@pytest.mark.parametrize("given", [*GOOD, *GOOD.values(), *(given for given, _ in SPOILT)])
def test_the_short_path_lets_through_nothing_that_the_whole_check_refuses(given: str) -> None:
    assert not ids.is_plain(given) or ids.fault_of(ids.fold(given)) is None
