"""The table of lawful sources: what may be used on which ground, and what may not be used."""

from pathlib import Path

import pytest

from casework.errors import RulesBroken
from casework.work.contacts.sources import load_sources, parse_sources

RULES = Path(__file__).parents[3] / "statecharts"
WHOLE = (RULES / "rules" / "sources.toml").read_bytes()


@pytest.mark.parametrize(
    ("source", "basis", "code"),
    [
        ("debtor", "consent", None), ("court", "statutory_duty", None),
        ("public_register", "public_information", None),
        ("debtor", "statutory_duty", "basis_not_of_source"), ("debtor", "", "unknown_legal_basis"),
        ("debtor", "need", "unknown_legal_basis"), ("", "consent", "unknown_source"),
        ("张三", "consent", "unknown_source"),
        ("bought_data", "consent", "unlawful_source"), ("pretext", "no_such", "unlawful_source"),
    ],
)  # fmt: skip
def test_a_source_is_used_on_a_ground_that_it_has_and_an_unlawful_one_on_none(
    source: str, basis: str, code: str | None
) -> None:
    fault = load_sources(RULES).fault(source, basis)
    assert (fault.code if fault else None) == code
    if fault:
        assert fault.zh
        assert str(fault).isascii()


def test_an_unlawful_source_is_refused_with_its_name_the_reason_and_the_law() -> None:
    fault = load_sources(RULES).fault("bought_data", "consent")
    assert fault is not None
    assert (fault.zh, fault.facts) == (
        "不得使用该来源：购买的个人信息：个人信息不得买卖（个人信息保护法第10条）", {"source": "bought_data"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('bases = ["statutory_duty", "contract"]', "bases = []", "sources.court.bases: names no ground"),
        ('bases = ["public_information"]', 'bases = ["need"]', "public_register.bases: there is no ground need"),
        ('bases = ["contract"]\n\n[sources.debtor]', 'bases = ["contract", "contract"]\n\n[sources.debtor]',
         "sources.contract.bases: names a ground twice"),
        ("[unlawful.pretext]", "[unlawful.debtor]", "sources.debtor: is unlawful too"),
        ("[sources.visit]", "[bases.need]\nzh = '需要'\nen = 'need'\nlaw = '-'\n\n[sources.visit]",
         "bases.need: no source has it"),
        ('en = "found on a visit"\n', "", "sources.visit.en: missing label"),
        ('law = "个人信息保护法 13(1)6"\n', "", "bases.public_information.law: missing"),
        ('because = { zh = "以欺骗方式取得", en = "obtained by deceit" }\n', "", "unlawful.pretext.because: missing"),
        ("version = 1", "version = 0", "version: is not a whole number from 1"),
        ("version = 1", "version = 1\ncolour = 1", "colour: unknown key"),
        ("version = 1", "version = 1\nversion = 2", "sources.toml: "),
    ],
)  # fmt: skip
def test_a_table_with_a_fault_is_refused_and_says_where(before: str, after: str, fault: str) -> None:
    """Each is the real table with one thing changed."""
    spoilt = WHOLE.decode().replace(before, after, 1)
    assert spoilt != WHOLE.decode()
    with pytest.raises(RulesBroken) as broken:
        parse_sources(spoilt.encode())
    assert any(fault in one for one in broken.value.faults), broken.value.faults
