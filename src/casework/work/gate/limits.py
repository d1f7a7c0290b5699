"""The figures of the gate, as policy has them on a day and for a product. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from casework.rules.statechart.policy import Policy


class Limits(msgspec.Struct, frozen=True):
    """What the gate holds a contact to. Hours are the branch's, counts those of one day."""

    zone: ZoneInfo
    quiet_from_hour: int
    quiet_until_hour: int
    connected_calls: int
    unanswered_calls: int
    contacts_from_dpd: int
    contacts_after_failures: int
    contacts_after_days: int
    """How long after the debtor proved out of reach: 1 is the next day."""
    contacts_by_holds: frozenset[str]
    """The grounds of holds by which the debtor is out of reach."""
    demand_from: frozenset[str]
    refusal_binds: frozenset[str]
    """Whose refusal is for ever."""
    messages: int | None
    contact_calls: int | None
    """Messages, and calls to contact persons, a day for one debtor; none: no cap (X8)."""
    stops_contact: frozenset[str]
    stops_the_person: frozenset[str]
    """Holds that stop contact with the debtor alone, and money of who stands in for them."""
    own_posts: Mapping[str, frozenset[str]]
    """By state of a case: the posts that alone may contact its debtor then."""

    def permitted(self, instant: datetime) -> bool:
        """Whether it lies in the hours in which anybody may be contacted."""
        return self.quiet_until_hour <= instant.astimezone(self.zone).hour < self.quiet_from_hour


def limits_by_product(policy: Policy) -> dict[str | None, Limits]:
    """The figures for each product that has some of its own, and (none) for all others."""
    rows: Any = policy.figures["contact.by_product"] or ()
    return {product: limits_of(policy, product) for product in (None, *(row["product"] for row in rows))}


def limits_of(policy: Policy, product: str | None = None) -> Limits:
    """The figures for a product; what `contact.by_product` says of it goes before what holds for all."""
    rows: Any = policy.figures["contact.by_product"] or ()
    own: Any = policy.figures["contact.own_posts"] or ()
    of_product = {row["product"]: row for row in rows}.get(product, {})

    def figure(key: str) -> int:
        return int(of_product.get(key, policy.figure(f"contact.{key}")))

    def codes(key: str) -> frozenset[str]:
        return frozenset(of_product.get(key, policy.figure(f"contact.{key}")))

    def cap(key: str) -> Any:
        return of_product.get(key, policy.figures[f"contact.{key}"])

    return Limits(
        ZoneInfo(policy.figure("branch.time_zone")),
        figure("quiet_from_hour"),
        figure("quiet_until_hour"),
        figure("connected_calls_per_day"),
        figure("unanswered_attempts_per_day"),
        figure("third_party_from_dpd"),
        figure("third_party_after_failures"),
        figure("third_party_opens_after_days"),
        codes("third_party_holds"),
        codes("demand_from"),
        codes("refusal_binds"),
        cap("messages_per_day"),
        cap("third_party_calls_per_day"),
        frozenset(policy.figure("hold.stops_contact")),
        frozenset(policy.figure("hold.of_the_person")),
        {row["state"]: frozenset(row["posts"]) for row in own},
    )
