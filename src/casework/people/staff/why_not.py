"""Reasons why somebody may not that lie in who they are: how far their posts reach, what their key is for. Pure."""

from collections.abc import Collection, Iterable, Mapping

from casework.rules.statechart.decide import Reason


def out_of_reach(
    posts: Collection[str], rules: tuple[str, ...], only_own: Mapping[str, tuple[str, ...]] | None = None
) -> Reason:
    """One of the actor's posts may do this, but not to this case: it is not theirs, nor of their team, region, product.

    `only_own`: the posts that may do this only with cases they own or handle, by which rules.
    """
    own = {rule: None for post in sorted(posts) for rule in (only_own or {}).get(post, ())}
    if own and all(post in (only_own or {}) for post in posts):
        return Reason(
            "out_of_reach", tuple(dict.fromkeys(("1.1.4", *own, *rules))), {"posts": sorted(posts)},
            {"own_or_handled": True}, "您的岗位只能办理本人管户或经办的案件，该案件不是",
            "your post does this only with cases that you own or handle, and this is neither",
        )  # fmt: skip
    return Reason(
        "out_of_reach", ("1.1.4", *rules), {"posts": sorted(posts)}, {"case_within_reach": True},
        "该案件不在您的管辖范围内", "this case is not yours, nor of the team, region or product you work for",
    )  # fmt: skip


def key_limited(command: str, commands: Iterable[str]) -> Reason:
    """The key or session that the actor came in with is not for this command."""
    return Reason(
        "key_not_permitted", ("1.1.4",), {"commands": sorted(commands)}, {"command": command},
        "此令牌或会话未获授权执行此操作", "this key or session is not for that command",
    )  # fmt: skip
