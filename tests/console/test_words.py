"""One table of words: none is missing, none is left over, in both languages."""

import re
from pathlib import Path

import pytest

from api.console.cases.facts import HIDDEN
from api.console.frame.words import LANGUAGES, WORDS
from casework.lifecycles import LIFECYCLES
from casework.settings import Settings
from casework.work.cases.case import Facts
from casework.work.cases.rulebook import load_rulebook
from casework.work.contacts.contact import PARTY_WORDS

CONSOLE = Path(__file__).parents[2] / "src/api/console"
USED = re.compile(r'\b(?:t|say|known)\(\s*"([a-z_]+\.[a-z_0-9-]+)"|\(\s*t\(.([a-z_]+\.[a-z_]+).\)')
BY_CODE = re.compile(r'\b(?:t|word_of|say|known)\(f?"([a-z_]+\.[a-z_]*)(?:" ~|\{)|\|word\("([a-z_]+)"\)')
HAN = re.compile(r"[一-鿿]")


def _sources() -> str:
    files = [*CONSOLE.rglob("*.html"), *CONSOLE.rglob("*.py")]
    return "\n".join(path.read_text(encoding="utf-8") for path in files).replace("t('", 't("').replace("')", '")')


def test_every_word_that_a_page_says_is_in_the_table() -> None:
    said = {one or other for one, other in USED.findall(_sources())}
    said = {key for key in said if not key.endswith(("_", "."))}  # a code follows
    assert len(said) > 200
    assert said - WORDS.keys() == set()


def test_no_word_of_the_table_is_left_over() -> None:
    source = _sources()
    said = {one or other for one, other in USED.findall(source)}
    groups = {group or f"{word}." for group, word in BY_CODE.findall(source)} | {"nav.", "many.", "task."}
    left = {key for key in WORDS if key not in said and not any(key.startswith(group) for group in groups)}
    assert left == set()


@pytest.mark.parametrize("key", sorted(WORDS))
def test_a_word_has_both_languages_with_the_same_parts(key: str) -> None:
    """The Chinese text has Chinese in it, the English one has none, and both are filled in alike."""
    texts = WORDS[key]
    assert set(texts) == set(LANGUAGES)
    assert HAN.search(texts["zh"]), texts
    assert texts["en"]
    assert not HAN.search(texts["en"]), texts
    parts = [sorted(re.findall(r"\{\w+\}", texts[lang])) for lang in LANGUAGES]
    assert parts[0] == parts[1]


def test_every_fact_of_a_case_has_its_word() -> None:
    assert {name for name in Facts.__struct_fields__ if f"fact.{name}" not in WORDS} == HIDDEN


def test_a_party_is_called_in_a_chart_what_it_is_called_in_the_ledger_and_on_pages() -> None:
    whom = load_rulebook(Settings.from_environment({}).statecharts).charts["callback"].openings
    called = {code: texts["zh"] for one in whom.values() for code, texts in one.fields["party"].one_of.items()}
    assert {code: called[code] for code in called if code in PARTY_WORDS} == {
        code: PARTY_WORDS[code][0] for code in called if code in PARTY_WORDS
    }
    assert len(called.keys() & PARTY_WORDS.keys()) == 4


def test_every_list_of_a_noun_is_headed_by_more_than_one_of_it() -> None:
    """In Chinese as the chart says; in English in the plural."""
    charts = load_rulebook(Settings.from_environment({}).statecharts).by_word
    for noun in LIFECYCLES[1:]:
        chart, many = charts[noun.word], WORDS.get(f"many.{noun.chart}", {})
        assert many.get("zh") == chart.zh, noun.word
        assert "s" in {word[-1] for word in many["en"].split()}, noun.word
        assert many["en"] != chart.en, noun.word


def test_no_page_leaves_a_day_or_a_time_to_the_language_of_the_browser() -> None:
    """`typed_as` has the one form that is read."""
    native = re.compile(r'type="(?:date|datetime-local|time|month|week)"')
    assert [path.name for path in CONSOLE.rglob("*.html") if native.search(path.read_text(encoding="utf-8"))] == []
