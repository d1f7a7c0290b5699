"""Charts and policies as they were published, by the reference that entries cite. Pure."""

from collections.abc import Iterable

from casework.audit.texts import reference
from casework.cases.rulebook import registry_of
from casework.statechart.chart import Chart, parse_chart
from casework.statechart.policy import Policies, Policy, parse_policy


class Published:
    """The texts, each parsed when it is asked for first."""

    def __init__(self, texts: Iterable[tuple[str, str, str, bytes]]) -> None:
        """Kind, name, digest and body of each text; nothing is checked here."""
        self._texts = {(kind, reference(kind, name, digest)): body for kind, name, digest, body in texts}
        self._charts: dict[str, Chart] = {}
        self._policies: dict[str, Policy] = {}
        self._all: Policies | None = None

    def policy(self, ref: str) -> Policy:
        """The policy cited as `date#digest`; KeyError if it was never published."""
        if ref not in self._policies:
            name, text = ref.partition("#")[0], self._texts["policy", ref]
            self._policies[ref] = parse_policy(name, text, {})  # the law of today does not judge the past
        return self._policies[ref]

    def chart(self, ref: str) -> Chart:
        """The chart cited as `name@version#digest`; KeyError if it was never published."""
        if ref not in self._charts:
            if self._all is None:
                self._all = Policies([self.policy(cited) for kind, cited in self._texts if kind == "policy"])
            text = self._texts["chart", ref]
            self._charts[ref] = parse_chart(text, registry_of(ref), self._all, file=ref, past=True)
        return self._charts[ref]
