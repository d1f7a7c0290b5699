"""One contact with a debtor or somebody around them, as the log holds it: what counts is counted from these. Pure.

A contact is the debtor's (institution and number), whichever loan it was made for, and serves all their cases.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from casework.customer import Customer

CALLS: Final = frozenset({"call", "ai_voice"})
RECORDED: Final = CALLS | {"inbound"}
"""Of which there is to be a recording."""
MESSAGE: Final = "message"
WRITTEN: Final = frozenset({MESSAGE})
"""Whose words are to be an approved template's."""
CHANNEL_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "call": ("电话", "call"), "ai_voice": ("智能语音", "AI voice"), "message": ("短信", "message"),
    "visit": ("下户", "visit"), "letter": ("信函", "letter"), "inbound": ("来电", "incoming call"),
}  # fmt: skip
"""Code → zh, en: for pages, workbooks, the shell, and as files may write them; so are the words below."""
CHANNELS: Final = tuple(CHANNEL_WORDS)
PARTY_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "debtor": ("本人", "debtor"), "co_borrower": ("共同借款人", "co-borrower"), "guarantor": ("担保人", "guarantor"),
    "contact": ("联系人", "contact person"), "representative": ("代理人", "representative"), "heir": ("继承人", "heir"),
    "guardian": ("监护人", "guardian"),
}  # fmt: skip
PARTIES: Final = tuple(PARTY_WORDS)
ONLY_LOCATED: Final = frozenset({"representative", "heir", "guardian"})
"""Whom a hold on the debtor's person leaves open to be asked for heirs and whereabouts, not to be asked for money."""
LOCATED: Final = frozenset({"contact", "heir"})
"""What they are asked where nothing else is said: where the debtor, or whoever answers for the debt, is."""
PURPOSES: Final = ("demand", "locate", "care", "complaint_answer", "service_of_papers", "limitation_notice")
NEXT_ACTION_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "call_again": ("再次拨打", "call again"), "visit": ("安排下户", "visit"), "repair": ("信息修复", "repair"),
    "await_payment": ("等待还款", "await payment"), "legal": ("司法处置", "legal action"),
    "nothing": ("暂无", "nothing"),
}  # fmt: skip
NEXT_ACTIONS: Final = tuple(NEXT_ACTION_WORDS)
CONTACT: Final = "contact"
"""The party that owes nothing and is asked where the debtor is."""
DEBTOR: Final = "debtor"
"""The outcome, and the party, that is the debtor in person."""


OF_VISITS: Final = "visit"
"""The source of contacts that visits made."""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, and when: times are aware, `number` is a keyed fingerprint of the number (none: none, or erased).

    `outcome` follows from `result` and `party` (`results`). `recording`: whether there is one. `late`: typed in later
    than the policy's hours after it happened (补录); it proves no duty, and counts for everything else.
    """

    institution: str
    source: str
    contact_ref: str
    loan_id: str
    borrower_id: str
    party: str
    channel: str
    started_at: datetime
    result: str
    outcome: str
    recorded_at: datetime
    purpose: str = "demand"
    staff_no: str | None = None
    agency: str | None = None
    number: bytes | None = None
    has_address: bool = False
    ended_at: datetime | None = None
    recording: bool = False
    late: bool = False
    permit_id: int | None = None
    line: str | None = None
    seconds: int | None = None
    template: str | None = None
    next_action: str | None = None

    @property
    def customer(self) -> Customer:
        """Whose it is."""
        return Customer(self.institution, self.borrower_id)

    @property
    def connected(self) -> bool:
        """Whether the debtor in person was spoken to, by any channel."""
        return self.outcome == DEBTOR

    @property
    def sought(self) -> str:
        """The party for whom it was made: a visit that was ordered is the debtor's, whoever opens the door."""
        return DEBTOR if self.source == OF_VISITS else self.party

    @property
    def outbound(self) -> bool:
        """Whether we went to them: every channel but a call that came in."""
        return self.channel != "inbound"

    @property
    def is_call(self) -> bool:
        """Whether we called, a person or a robot."""
        return self.channel in CALLS

    @property
    def is_attempt(self) -> bool:
        """Whether it is an attempt at the debtor: a call to them, whatever came of it (1.3.1a)."""
        return self.is_call and self.party == DEBTOR
