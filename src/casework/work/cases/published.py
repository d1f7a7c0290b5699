"""Charts and policies as they were published, by the reference that entries cite. Pure.

What was read once is kept for the process: charts and policies never change, and the same text is asked for with every
verification and every look into the past.
"""

from collections.abc import Iterable
from functools import lru_cache

from casework.errors import RulesBroken
from casework.log.format.texts import reference
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.parse import parse_chart
from casework.rules.statechart.policy import Policies, Policy, parse_policy
from casework.work.cases.nouns import NOUNS
from casework.work.cases.rulebook import registry_of


class Published:
    """The texts, each parsed when it is asked for first."""

    def __init__(self, texts: Iterable[tuple[str, str, str, bytes]]) -> None:
        """Kind, name, digest and body of each text; nothing is checked here."""
        self._texts = {(kind, reference(kind, name, digest)): body for kind, name, digest, body in texts}
        self._policies = tuple((ref, text) for (kind, ref), text in self._texts.items() if kind == "policy")

    @property
    def known(self) -> Iterable[tuple[str, str]]:
        """Kind and reference of each."""
        return self._texts

    def policy(self, ref: str) -> Policy:
        """The policy cited as `date#digest`; KeyError if it was never published."""
        return _policy(ref, self._texts["policy", ref])

    def chart(self, ref: str) -> Chart:
        """The chart cited as `name@version#digest`; KeyError if it was never published."""
        return _chart(ref, self._texts["chart", ref], self._policies)


@lru_cache(128)
def _policy(ref: str, text: bytes) -> Policy:
    return parse_policy(ref.partition("#")[0], text, {})  # the law of today does not judge the past


@lru_cache(16)
def _chart(ref: str, text: bytes, policies: tuple[tuple[str, bytes], ...]) -> Chart:
    """Of all policies ever published: a chart may name figures that one of them has."""
    known = Policies([_policy(*policy) for policy in policies])
    chart = parse_chart(text, registry_of(ref), known, file=ref, past=True)
    if chart.version < next((noun.reads_from for noun in NOUNS if noun.chart == chart.name), 1):
        raise RulesBroken([f"{ref}: entries of its time were written in another way"])
    return chart
