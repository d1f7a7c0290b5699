"""`casework morning` as cron runs it: after the sweep, once; cases given out, then the lists."""

import json
from datetime import timedelta

from casework.clock import now
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import bank
from tests.feed.shell import casework

__all__ = ["bank"]


def test_a_morning_is_made_after_the_sweep_and_once(bank: Bank) -> None:
    bank.staff("C1", "phone_collector")
    bank.staff("B9", "basic_risk_manager")
    settings, today = bank.started.settings, bank.started.branch.today(now())
    bank.send(DAY, [arrears(1, 1)], loans=[loan(1)])
    early = casework(settings, "morning")
    assert (early.code, early.err.split(":")[0], early.err.count("\n")) == (1, "day_not_closed", 1)
    assert casework(settings, "morning", "--as", "C1").err.split(":")[0] == "post_not_permitted"
    assert casework(settings, "sweep", "--date", str(today - timedelta(days=1))).code == 0
    made = json.loads(casework(settings, "morning", "--as", "B9", "--json").out)
    assert (made["on"], made["moves"], made["stepped_aside"]) == (today.isoformat(), 1, False)
    assert made["tasks"] > 0
    again = casework(settings, "morning")
    assert (again.code, again.out) == (0, "")
    assert "已完成" in again.err
    over = casework(settings, "morning", "--on", str(today - timedelta(days=1)))
    assert (over.code, over.err.split(":")[0]) == (1, "day_over")
    bank.assert_sound()
