"""What the ledger is written with, in Chinese or English: people, customers, results, holds."""

from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from casework.customer import Customer
from casework.evidence.ledger.line import ContactLine, LedgerLine
from casework.evidence.ledger.people import Called
from casework.table import Lang
from casework.work.cases.branch import Branch
from casework.work.cases.lifecycles import DISPOSALS
from casework.work.contacts.contact import NEXT_ACTION_WORDS
from casework.work.disposals import RETURNED
from casework.work.duties.table import exempted_by

Texts = Mapping[str, tuple[str, str]]
"""By code, in Chinese and English."""
HANDED_IN_WHAT: Final[Texts] = {
    "ledger": ("上交台账", "hand in the ledger"), "supplement": ("上交补充", "hand in the supplement"),
}  # fmt: skip


class Words(NamedTuple):
    """What lines are written with: the branch's rules, people, and customers as they are masked."""

    branch: Branch
    called: Called
    masked: dict[Customer, str]
    notes: Mapping[tuple[str, str], str] = MappingProxyType({})
    """Of contacts, by reference and source, masked as customers are."""
    lang: Lang = "zh"

    def of(self, zh: str, en: str) -> str:
        """In the language that is written."""
        return en if self.lang == "en" else zh

    def whether(self, is_so: object) -> str:
        """Yes or no."""
        return self.of("是", "yes") if is_so else self.of("否", "no")

    def there(self, is_there: object) -> str:
        """Whether there is one."""
        return self.of("有", "yes") if is_there else self.of("无", "no")

    def word(self, texts: Texts, code: str | None) -> str | None:
        """What a code is called; itself where it has no word."""
        return self.of(*texts[code]) if code is not None and code in texts else code

    def listed(self, some: Iterable[str]) -> str:
        """One beside the other."""
        return self.of("、", ", ").join(some)

    @property
    def zone(self) -> ZoneInfo:
        """Of the branch."""
        return ZoneInfo(self.branch.time_zone)

    def result(self, code: str | None) -> str | None:
        """What came of a contact."""
        known = self.branch.rulebook.results.of(code) if code is not None else None
        return self.of(known.zh, known.en) if known is not None else code

    def why(self, exempt_by: str | None) -> str:
        """A hold by its ground, else what exempts."""
        return "" if exempt_by is None else exempted_by(self.branch, exempt_by, self.lang)

    def strategy(self, code: str | None) -> str | None:
        """What was started for a case that day."""
        known = self.branch.rulebook.tasks.strategies
        return str(getattr(known[code], self.lang)) if code is not None and code in known else code

    def repair(self, outcome: str | None) -> str | None:
        """What a repair of information came to."""
        known = self.branch.rulebook.chart.facts["information_repair"].fields["outcome"].one_of
        return str(known[outcome][self.lang]) if outcome is not None and outcome in known else outcome

    def arrangement(self, one: LedgerLine) -> str:
        """What the debtor wishes, and what was agreed."""
        known = self.branch.rulebook.charts["hold"].events["wish_arrangement"].fields["wish"].one_of
        told = list[str]()
        if one.wish:
            wish = known[one.wish][self.lang] if one.wish in known else one.wish
            told.append(self.of(f"意愿：{wish}", f"wish: {wish}"))
        if one.agreed_fen is not None:
            yuan = f"{one.agreed_fen / 100:,.2f}"
            told.append(self.of(f"{one.agreed_on}已达成，{yuan}元", f"agreed {one.agreed_on}: ¥{yuan}"))
        return self.of("；", "; ").join(told)

    def form(self, one: LedgerLine) -> date | str | None:
        """Since when a disposal form stands; of one that was sent back that it was."""
        if one.disposal != RETURNED:
            return one.disposal_on
        state = self.branch.rulebook.charts[DISPOSALS.chart].states[RETURNED]
        return f"{one.disposal_on}{self.of(state.zh, f' {state.en}')}"

    def note(self, line: ContactLine) -> str | None:
        """What was noted of a contact."""
        return self.notes.get((line.contact_ref, line.source))

    def customer(self, line: Any) -> str | None:
        """Masked; none where the borrower was erased."""
        return self.masked.get(self.whose(line))

    @staticmethod
    def whose(line: Any) -> Customer:
        """Of whom a line is."""
        return Customer(line.institution, line.borrower_id)

    def next_action(self, code: str | None) -> str | None:
        """What is to follow."""
        return self.word(NEXT_ACTION_WORDS, code)
