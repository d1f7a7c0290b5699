"""Invented people: Chinese names, phone numbers and ID numbers that nobody can have."""

from datetime import date
from random import Random
from typing import Final, NamedTuple

_SURNAMES: Final = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹曾彭"
    "萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任姚卢傅钟姜崔谭廖范汪陆金石戴贾"
)
_GIVEN: Final = (
    "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀霞平刚桂英华文辉建国玲红"
    "梅志海波宁斌鹏宇浩凯健俊帆雪琳慧颖晨阳欣怡梓涵佳思远博瑞彤"
)
_ROADS: Final = ("样板路", "示例街", "虚构大道", "演示巷", "测试里", "假想园")
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"


class DemoMember(NamedTuple):
    """Somebody on the branch's staff."""

    staff_no: str
    name: str
    post: str
    team: str
    region: str


def name(random: Random) -> str:
    """A surname and a given name of one or two characters."""
    given = random.choice(_GIVEN) + (random.choice(_GIVEN) if random.random() < 0.7 else "")
    return random.choice(_SURNAMES) + given


def phone(random: Random) -> str:
    """Eleven digits that begin with 12, which no mobile number does."""
    return f"12{random.randrange(10**9):09d}"


def address(random: Random) -> str:
    """A place that is not on any map."""
    door = f"{random.randint(1, 30)}栋{random.randint(101, 3304)}室"
    return f"某市某区{random.choice(_ROADS)}{random.randint(1, 400)}号{door}"


def id_number(random: Random) -> str:
    """Eighteen characters in the usual form, wrong twice: no such region, and not its check character."""
    born = date(1960, 1, 1).toordinal() + random.randrange(15_000)
    digits = f"00{random.randrange(10_000):04d}{date.fromordinal(born):%Y%m%d}{random.randrange(1_000):03d}"
    right = sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True)) % 11
    return digits + _CHECKS[(right + random.randint(1, 10)) % 11]


_POSTS: Final = (
    ("phone_collector", 3),
    ("operations_collector", 2),
    ("post_loan_officer", 3),
    ("basic_risk_manager", 2),
    ("agency_post", 1),
    ("asset_preservation", 2),
    ("approver", 3),
    ("auditor", 1),
    ("administrator", 1),
    ("customer_service", 1),
    ("channel_post", 1),
)
TEAMS: Final = (("T1", "R1"), ("T2", "R1"), ("T3", "R2"), ("T4", "R2"))  # team, its region
REPS: Final = 12


def staff(seed: int = 1) -> list[DemoMember]:
    """The branch's staff: business reps S001–S012 over four teams, then every other post from S101 on."""
    random = Random(f"staff {seed}")  # noqa: S311 - a story, not a secret
    members = [
        DemoMember(f"S{number + 1:03d}", name(random), "business_rep", *TEAMS[number % len(TEAMS)])
        for number in range(REPS)
    ]
    posts = [post for post, count in _POSTS for _ in range(count)]
    return members + [
        DemoMember(f"S{number:03d}", name(random), post, *TEAMS[number % len(TEAMS)])
        for number, post in enumerate(posts, 101)
    ]
