"""Whether a feed of that day may be imported at all, by whom, and after which."""

from datetime import date

from casework.errors import CallerError
from casework.intake.feed.run import Run
from casework.people.staff.actor import PROGRAM, Actor
from casework.rules.statechart.policy import Policy


def check_may_import(
    as_of: date, last: Run | None, actor: Actor, policy: Policy, today: date, correction: bool
) -> None:
    """`CallerError` post_not_permitted, as_of_in_future, older_than_last or another_feed_applied.

    `last` is the institution's last applied run, `correction` says that this feed is declared one.
    """
    # A program holds no post: its key says that it may, and nothing that a post has to confirm is confirmed by it.
    if actor.kind != PROGRAM and not actor.posts & set(policy.figure("feed.importing_posts")):
        raise CallerError("post_not_permitted", "您的岗位不能导入数据", "none of your posts may import a feed")
    if as_of > today:
        raise CallerError(
            "as_of_in_future", f"数据日期 {as_of} 晚于今天 {today}",
            f"the feed's business date {as_of} is after today ({today})",
        )  # fmt: skip
    if last is None or last.as_of is None or correction or as_of > last.as_of:
        return
    if as_of < last.as_of:
        raise CallerError(
            "older_than_last", f"{as_of} 早于最近一次导入的 {last.as_of}；如为更正请声明",
            f"{as_of} is older than the last applied feed ({last.as_of}); declare a correction if it is one",
            last_as_of=last.as_of.isoformat(),
        )  # fmt: skip
    raise CallerError(
        "another_feed_applied", f"{as_of} 已导入过内容不同的数据；如为更正请声明",
        f"another feed for {as_of} was applied; declare a correction if this is one", run=last.id,
    )  # fmt: skip
