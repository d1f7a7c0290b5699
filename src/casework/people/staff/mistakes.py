"""The register's mistakes of a caller, each with its code, both languages and its facts (never a name)."""

from collections.abc import Iterable
from datetime import date

from casework import ids
from casework.errors import CallerError


def unknown_staff(staff_no: str) -> CallerError:
    """No such number."""
    return CallerError("unknown_staff", f"没有工号{staff_no[:32]}", f"there is no staff number {staff_no[:32]}")


def staff_exists(staff_no: str) -> CallerError:
    """The number is taken."""
    return CallerError("staff_exists", staff_no=staff_no)


def staff_unverified(staff_no: str) -> CallerError:
    """Only a feed named them."""
    return CallerError("staff_unverified", staff_no=staff_no)


def staff_left(staff_no: str) -> CallerError:
    """They have left, or were merged into somebody."""
    return CallerError("staff_left", staff_no=staff_no)


def wrong_status(staff_no: str, status: str, *needed: str) -> CallerError:
    """What was asked for is not for somebody of this status."""
    return CallerError(
        "wrong_status", f"员工{staff_no}当前状态为 {status}，须为 {'、'.join(needed)}",
        f"{staff_no} is {status}; this is for somebody who is {' or '.join(needed)}",
        staff_no=staff_no, status=status, needs=list(needed),
    )  # fmt: skip


_RESERVED = ("这是系统保留名称", "it is a name that the service keeps for itself")


def staff_no_malformed(fault: str = "malformed_staff_no") -> CallerError:
    """No staff number at all; `fault` is a code of `ids.TEXTS`, malformed_staff_no or reserved_staff_no."""
    zh, en = _RESERVED if fault == "reserved_staff_no" else ids.TEXTS.get(fault, ("", ""))
    needs = "1 to 32 letters, digits or . _ -, at least one digit"
    return CallerError(
        "staff_no_malformed", f"工号须为1至32位字母、数字或 . _ -，至少一个数字{f'：{zh}' if zh else ''}",
        f"a staff number has {needs}{f': {en}' if en else ''}", field="staff_no", fault=fault, needs=needs,
    )  # fmt: skip


def staff_malformed(field: str, longest: int) -> CallerError:
    """A text that is empty, too long, or no text."""
    return CallerError(
        "staff_malformed", f"{field}须为1至{longest}个字符", f"{field} must have 1 to {longest} characters", field=field
    )


def unknown_post(posts: Iterable[str], known: Iterable[str]) -> CallerError:
    """Posts that nobody can hold."""
    unknown, held = sorted(posts), sorted(known)
    return CallerError(
        "unknown_post", f"没有这样的岗位：{'、'.join(unknown) or '(空)'}；可用：{'、'.join(held)}",
        f"no such post: {', '.join(unknown) or '(none given)'}; known are {', '.join(held)}", posts=unknown,
    )  # fmt: skip


def posts_conflict(posts: Iterable[str], because: Iterable[tuple[str, str]]) -> CallerError:
    """Posts that nobody may hold on the same day; `because` has each reason in zh and en."""
    reasons, held = list(because), sorted(posts)
    return CallerError(
        "posts_conflict", f"岗位不得兼任（{'、'.join(held)}）：{';'.join(zh for zh, _ in reasons)}",
        f"nobody may hold {' and '.join(held)} together: {'; '.join(en for _, en in reasons)}", posts=held,
    )  # fmt: skip


def post_held_already(staff_no: str, post: str, from_on: date, until_on: date | None) -> CallerError:
    """They hold the post on some of those days."""
    until = until_on.isoformat() if until_on else None
    return CallerError(
        "post_held_already", f"员工{staff_no}在此期间已任{post}（自{from_on}至{until or '长期'}）",
        f"{staff_no} holds {post} already, from {from_on} until {until or 'further notice'}",
        staff_no=staff_no, post=post, from_on=from_on.isoformat(), until_on=until,
    )  # fmt: skip


def post_not_held(staff_no: str, post: str) -> CallerError:
    """There is nothing to end."""
    return CallerError("post_not_held", staff_no=staff_no, post=post)


def dates_out_of_order(first: str, second: str) -> CallerError:
    """`second` lies before `first`."""
    return CallerError(
        "dates_out_of_order", f"{second}不得早于{first}", f"{second} must not be before {first}", fields=[first, second]
    )


def lent_from_tomorrow(earliest: date) -> CallerError:
    """A wide post is not lent on the day on which it is recorded."""
    return CallerError(
        "lent_from_tomorrow",
        f"该请假会使代理人经办他人的案件，代理最早自{earliest}起；今日可先登记不设代理人的请假",
        f"with this leave the deputy would reach cases of others: it lends from {earliest} on at the earliest; until "
        "then record leave without a deputy", field="from_on", earliest=earliest.isoformat(),
    )  # fmt: skip


def lent_too_long(at_most: int) -> CallerError:
    """A wide post is lent for a bounded time."""
    return CallerError("lent_too_long", field="until_on", at_most_days=at_most)


def day_in_past(field: str, earliest: date) -> CallerError:
    """Nothing is changed backwards."""
    return CallerError(
        "day_in_past", f"{field}不得早于{earliest}", f"{field} must not be before {earliest}",
        field=field, earliest=earliest.isoformat(),
    )  # fmt: skip


def day_in_future(field: str, latest: date) -> CallerError:
    """It has not happened yet."""
    return CallerError(
        "day_in_future", f"{field}不得晚于{latest}", f"{field} must not be after {latest}",
        field=field, latest=latest.isoformat(),
    )  # fmt: skip


def day_out_of_range(field: str, latest: date) -> CallerError:
    """So far ahead that it can only be a slip."""
    return CallerError(
        "day_out_of_range", f"{field}不得晚于{latest}", f"{field} must not be after {latest}",
        field=field, latest=latest.isoformat(),
    )  # fmt: skip


def capacity_out_of_range(most: int) -> CallerError:
    """No number of cases a person could have."""
    return CallerError("capacity_out_of_range", most=most)


def unknown_place(kind: str, code: str, known: Iterable[str]) -> CallerError:
    """A team or region that there is not, with those there are; `kind` is team or region."""
    held, word = sorted(known)[:50], {"team": "团队", "region": "区域"}[kind]
    zh = f"；已有{'、'.join(held)}" if held else f"；尚未登记任何{word}"
    en = f"; known are {', '.join(held)}" if held else "; none is registered"
    return CallerError(f"unknown_{kind}", f"没有{word}{code}{zh}", f"there is no {kind} {code}{en}", known=held)


def region_differs(team: str, region: str) -> CallerError:
    """The team lies in another region."""
    return CallerError("region_differs", team=team, region=region)


def nothing_changes(staff_no: str) -> CallerError:
    """The register says so already."""
    return CallerError(
        "nothing_changes", f"员工{staff_no}的资料已是如此", f"the register says so of {staff_no} already",
        staff_no=staff_no,
    )  # fmt: skip


def owns_open_cases(staff_no: str) -> CallerError:
    """The database keeps every open case with somebody who is there (1.1.1)."""
    return CallerError("owns_open_cases", staff_no=staff_no)


def merged_into_himself(staff_no: str) -> CallerError:
    """Nobody is merged into their own number."""
    return CallerError("merged_into_himself", staff_no=staff_no)


def place_malformed(kind: str, field: str, longest: int) -> CallerError:
    """A team's or region's code or name that is empty, too long, or no text."""
    word = {"team": "团队", "region": "区域"}[kind]
    return CallerError(
        "place_malformed", f"{word}的{field}须为1至{longest}个字符，前后无空格",
        f"the {field} of a {kind} must have 1 to {longest} characters, without blanks around it", field=field,
    )  # fmt: skip


def unknown_reason(known: Iterable[str]) -> CallerError:
    """No reason to be away that the register knows."""
    codes = ", ".join(known)
    return CallerError("unknown_reason", f"请假原因须为：{codes}", f"a reason for leave is one of {codes}")


def leave_too_long(days: int) -> CallerError:
    """A slip, or a departure."""
    return CallerError("leave_too_long", most_days=days)


def leave_overlaps(staff_no: str, from_on: date, until_on: date) -> CallerError:
    """Two leaves of one person on the same day."""
    return CallerError(
        "leave_overlaps", f"员工{staff_no}在{from_on}至{until_on}已请假",
        f"{staff_no} is on leave already from {from_on} to {until_on}",
        staff_no=staff_no, from_on=from_on.isoformat(), until_on=until_on.isoformat(),
    )  # fmt: skip


def leave_unknown(staff_no: str, from_on: date) -> CallerError:
    """No leave of theirs begins on that day."""
    return CallerError(
        "leave_unknown", f"员工{staff_no}没有自{from_on}开始的请假",
        f"{staff_no} has no leave that begins on {from_on}", staff_no=staff_no, from_on=from_on.isoformat(),
    )  # fmt: skip


def deputy_himself(staff_no: str) -> CallerError:
    """Nobody is their own deputy."""
    return CallerError("deputy_himself", staff_no=staff_no)


def deputy_by_himself(staff_no: str) -> CallerError:
    """Nobody takes somebody's posts by recording a leave."""
    return CallerError("deputy_by_himself", staff_no=staff_no)


def deputy_lacks_post(deputy: str, posts: Iterable[str]) -> CallerError:
    """A post that reviews, approves or keeps the register is lent only to somebody who holds it."""
    named = sorted(posts)
    return CallerError(
        "deputy_lacks_post", f"代理人{deputy}须本人持有被代理的复核、审批或登记岗位（{'、'.join(named)}）",
        f"{deputy} must hold the post that reviews, approves or keeps the register too: {', '.join(named)}",
        deputy=deputy, posts=named,
    )  # fmt: skip


def deputy_away(deputy: str, from_on: date, until_on: date | None) -> CallerError:
    """The deputy is on leave, or gone, on some of those days."""
    until = until_on.isoformat() if until_on else None
    return CallerError(
        "deputy_away", f"代理人{deputy}自{from_on}{f'至{until}' if until else '起'}不在岗",
        f"the deputy {deputy} is away from {from_on}{f' to {until}' if until else ' on'}",
        deputy=deputy, from_on=from_on.isoformat(), until_on=until,
    )  # fmt: skip


def deputises_then(staff_no: str, principal: str, from_on: date, until_on: date) -> CallerError:
    """They deputise for somebody on some of those days."""
    return CallerError(
        "deputises_then", f"员工{staff_no}在{from_on}至{until_on}代理{principal}，请先更换代理人",
        f"{staff_no} deputises for {principal} from {from_on} to {until_on}: give {principal} another deputy first",
        staff_no=staff_no, principal=principal, from_on=from_on.isoformat(), until_on=until_on.isoformat(),
    )  # fmt: skip


def certificate_kind_malformed() -> CallerError:
    """No code."""
    return CallerError("certificate_kind_malformed")


def certificate_exists(staff_no: str, kind: str, issued_on: date) -> CallerError:
    """The register has it."""
    return CallerError(
        "certificate_exists", f"员工{staff_no}的证书 {kind}（{issued_on}）已登记",
        f"{staff_no}'s certificate {kind} of {issued_on} is registered already",
        staff_no=staff_no, kind=kind, issued_on=issued_on.isoformat(),
    )  # fmt: skip
