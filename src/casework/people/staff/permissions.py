"""Who may do what, over which cases, and who is shown which personal data; asked without a query. Pure.

The table itself is `statecharts/rules/permissions.toml`, read by `staff.permission_table`.
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, Final, Literal, Protocol

import msgspec

from casework.codes import texts_of
from casework.errors import CallerError
from casework.people.staff.actor import PROGRAM, Actor, Principal
from casework.rules.statechart.policy import Policy

SCOPES = ("own", "team", "region", "product", "all")
SEES, ACTS, NO_CASE = "sees", "acts", "none"
View = Literal["clear", "masked"]
ENROL_ONLY: Final = frozenset({"factor.own", "session.own"})
"""What a log-in without the second factor may do where the policy asks for one: enrol it, and leave."""


class Whose(Protocol):
    """What a scope looks at: a case, a loan, or a line of a list."""

    owner: str
    handler: str
    team: str | None
    region: str | None
    product: str | None


class Authority(msgspec.Struct, frozen=True):
    """By which post somebody may do something, and for which principal if not in their own right."""

    post: str
    acting_for: str | None = None


class Reach(msgspec.Struct, frozen=True):
    """A set of cases: all, or those of these people, teams, regions or products."""

    everything: bool = False
    people: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()

    def covers(self, case: Whose) -> bool:
        """Whether the case is among them."""
        return (
            self.everything
            or case.owner in self.people
            or case.handler in self.people
            or case.team in self.teams
            or case.region in self.regions
            or case.product in self.products
        )


EVERYTHING = Reach(everything=True)
"""What the service itself reaches."""


class PostReach(msgspec.Struct, frozen=True):
    """How far one post reaches, to see and to act."""

    sees: str | None
    acts: str | None
    products: Any
    rules: tuple[str, ...]


class CommandRow(msgspec.Struct, frozen=True):
    """One command: labels, the posts that may do it, over which cases, and the routes that lead to it.

    `everybody`: whoever is logged in, even without a post. `programs`: a program's key may be given it.
    """

    name: str
    zh: str
    en: str
    posts: frozenset[str]
    scope: str
    routes: tuple[str, ...]
    rules: tuple[str, ...]
    everybody: bool = False
    programs: bool = False


class Conflict(msgspec.Struct, frozen=True):
    """Posts that nobody holds together; `*` is every other post."""

    posts: tuple[str, str]
    zh: str
    en: str


class PersonalField(msgspec.Struct, frozen=True):
    """One field of personal data: the posts that read it as it is, see it masked, or may be shown it for a purpose."""

    name: str
    zh: str
    en: str
    clear: frozenset[str]
    masked: frozenset[str]
    reveal: frozenset[str]
    rules: tuple[str, ...]
    source: str | None


class Purpose(msgspec.Struct, frozen=True):
    """What personal data may be looked at for, and by whom."""

    code: str
    zh: str
    en: str
    posts: frozenset[str]


class Permissions(msgspec.Struct, frozen=True):
    """The table; safe to share between threads."""

    version: int
    posts: Mapping[str, PostReach]
    commands: Mapping[str, CommandRow]
    conflicts: tuple[Conflict, ...]
    personal: Mapping[str, PersonalField]
    purposes: Mapping[str, Purpose]
    public: frozenset[str]
    """Routes that answer without a token."""
    text: bytes
    digest: str

    @property
    def title(self) -> str:
        """`permissions@version`."""
        return f"permissions@{self.version}"

    # ── cases ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def authority(
        self, actor: Actor, posts: frozenset[str], case: Whose, policy: Policy, only_own: Collection[str] = ()
    ) -> Authority | None:
        """By which of `posts` the actor may act on the case, first in their own right; none if they may not.

        Those of `only_own` reach only what the actor owns or handles, however far they reach else.
        """
        if actor.kind == "system":
            return _of_the_service(posts, actor.posts)
        for who in _persons(actor):
            for post in sorted(posts & who.posts):
                if self._covers(post, ACTS, who, case, policy, own=post in only_own or _is_narrow(who)):
                    return Authority(post, None if who is actor else who.id)
        return None

    def may_see(self, actor: Actor, case: Whose, policy: Policy, command: str = "case.read") -> bool:
        """Whether one of the posts that may do `command`, the actor's own or a principal's, shows them the case."""
        return self.within(actor, command, policy).covers(case)

    def within(self, actor: Actor, command: str, policy: Policy) -> Reach:
        """The cases over which the actor may do `command`; KeyError if it is unknown."""
        row = self.commands[command]
        if actor.kind == PROGRAM:
            return EVERYTHING if self.may(actor, command) else Reach()
        return self.reach(actor, row.posts, ACTS if row.scope == ACTS else SEES, policy)

    def reach(
        self, actor: Actor, posts: frozenset[str], how: str, policy: Policy, only_own: Collection[str] = ()
    ) -> Reach:
        """All cases that the actor reaches by `posts`; `how` is sees or acts, `only_own` as of `authority`."""
        if actor.kind == "system":
            return EVERYTHING
        people, teams, regions, products = set[str](), set[str](), set[str](), set[str]()
        for who in _persons(actor):
            for post in posts & who.posts:
                scope = self._scope(post, how)
                if scope is not None and (post in only_own or _is_narrow(who)):
                    scope = "own"
                if scope == "all":
                    return EVERYTHING
                if scope is not None:
                    people.add(who.id)
                if scope == "team" and who.team is not None:
                    teams.add(who.team)
                elif scope == "region" and who.region is not None:
                    regions.add(who.region)
                elif scope == "product":
                    products.update(self._products(post, policy))
        return Reach(False, frozenset(people), frozenset(teams), frozenset(regions), frozenset(products))

    # ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────

    def may(self, actor: Actor, command: str) -> bool:
        """Whether the actor may do `command` at all (over which cases is `within`'s to say); KeyError if unknown.

        The service itself (at the shell, in the sweep) may. A program may what its key names and the table opens to
        programs, and nothing else.
        """
        row = self.commands[command]
        if actor.kind == PROGRAM:
            return row.programs and command in (actor.commands or ())
        if actor.commands is not None and command not in actor.commands:
            return False
        return row.everybody or actor.kind == "system" or _holds(actor, row.posts)

    def require(self, actor: Actor, command: str) -> None:
        """CallerErrors `post_not_permitted`, `key_not_permitted`, `second_factor_pending`.

        The second for a key that is not for this command, the third for a log-in without the factor that a post needs.
        """
        if self.may(actor, command):
            return
        row = self.commands[command]
        reason: dict[str, Any] = {
            "code": "post_not_permitted", "rules": list(row.rules), "saw": {"posts": sorted(actor.posts)},
            "needs": {"any_of_posts": sorted(row.posts)}, "zh": "您的岗位无权执行此操作",
            "en": "none of your posts may do this", "opens_on": None,
        }  # fmt: skip
        if actor.commands == ENROL_ONLY:
            zh, en = texts_of("second_factor_pending")
            reason |= {
                "code": "second_factor_pending", "saw": {"commands": sorted(ENROL_ONLY)},
                "needs": {"second_factor": True}, "zh": zh, "en": en,
            }  # fmt: skip
        elif actor.commands is not None and command not in actor.commands:
            reason |= {
                "code": "key_not_permitted", "saw": {"commands": sorted(actor.commands)},
                "needs": {"command": command}, "zh": "此令牌或会话未获授权执行此操作",
                "en": "this key or session is not for that command",
            }  # fmt: skip
        raise CallerError(reason["code"], reason["zh"], reason["en"], command=command, reasons=[reason])

    @property
    def for_programs(self) -> frozenset[str]:
        """What the key of a program may be for."""
        return frozenset(row.name for row in self.commands.values() if row.programs)

    def commands_of(self, actor: Actor) -> list[str]:
        """Every command that the actor may do over some cases at least."""
        return [command for command in self.commands if self.may(actor, command)]

    def conflicts_of(self, posts: Collection[str]) -> tuple[Conflict, ...]:
        """The rules that forbid one person to hold all of `posts`."""
        found = []
        for conflict in self.conflicts:
            first, second = conflict.posts
            others = set(posts) - {first}
            if first in posts and (others if second == "*" else second in others):
                found.append(conflict)
        return tuple(found)

    # ── personal data ───────────────────────────────────────────────────────────────────────────────────────────────

    def view(self, actor: Actor, field: str) -> View | None:
        """How the actor is shown a field of personal data by default; none: not at all. KeyError if unknown."""
        row = self.personal[field]
        if actor.kind == "system":
            return "clear" if row.clear else "masked"
        if _holds(actor, row.clear):
            return "clear"
        return "masked" if _holds(actor, row.masked) else None

    def check_reveal(self, actor: Actor, fields: Collection[str], purpose: str) -> None:
        """Whether the actor may be shown these fields as they are.

        CallerErrors `unknown_field`, `reveal_not_permitted`, `purpose_unknown`, `purpose_not_permitted`.
        """
        unknown = sorted(set(fields) - self.personal.keys())
        if unknown or not fields:
            raise CallerError(
                "unknown_field", "没有这样的个人信息字段", "there is no such field of personal data",
                fields=[name[:32] for name in unknown[:8]], known=list(self.personal),
            )  # fmt: skip
        self.check_purpose(actor, purpose)
        barred = [name for name in fields if actor.kind != "system" and not _holds(actor, self.personal[name].reveal)]
        if barred:
            raise CallerError(
                "reveal_not_permitted",
                fields=sorted(barred),
                any_of_posts={name: sorted(self.personal[name].reveal) for name in sorted(barred)},
            )

    def check_purpose(self, actor: Actor, purpose: str) -> None:
        """Whether they may look for this purpose: CallerErrors `purpose_unknown`, `purpose_not_permitted`."""
        row = self.purposes.get(purpose)
        if row is None:
            raise CallerError(
                "purpose_unknown", f"用途须为以下之一：{'、'.join(self.purposes)}",
                f"the purpose must be one of {', '.join(self.purposes)}", known=list(self.purposes),
            )  # fmt: skip
        if actor.kind != "system" and not _holds(actor, row.posts):
            raise CallerError(
                "purpose_not_permitted", f"您的岗位不得以“{row.zh}”为用途",
                f"none of your posts looks at personal data for this purpose ({row.en})", purpose=purpose,
                any_of_posts=sorted(row.posts),
            )  # fmt: skip

    def purpose_of(self, actor: Actor) -> str:
        """The purpose that stands for the actor where they name none: the first of the table open to their posts."""
        usual = next(iter(self.purposes))
        return next((row.code for row in self.purposes.values() if _holds(actor, row.posts)), usual)

    # ── how far ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _scope(self, post: str, how: str) -> str | None:
        row = self.posts.get(post)
        return None if row is None else row.acts if how == ACTS else row.sees

    def _covers(self, post: str, how: str, who: Actor | Principal, case: Whose, policy: Policy, *, own: bool) -> bool:
        scope = self._scope(post, how)
        if scope is None:
            return False
        if own or who.id in (case.owner, case.handler):
            return who.id in (case.owner, case.handler)
        if scope == "all":
            return True
        if scope == "team":
            return case.team is not None and case.team == who.team
        if scope == "region":
            return case.region is not None and case.region == who.region
        return scope == "product" and case.product in self._products(post, policy)

    def _products(self, post: str, policy: Policy) -> list[str]:
        raw = self.posts[post].products
        found: list[str] = policy.figure(raw[1:]) if isinstance(raw, str) else raw or []
        return found


@lru_cache(maxsize=256)
def _of_the_service(posts: frozenset[str], held: frozenset[str]) -> Authority | None:
    """The same for every case: it reaches all of them."""
    both = posts & held
    return Authority(min(both)) if both else None


def _persons(actor: Actor) -> tuple[Actor | Principal, ...]:
    return (actor, *actor.principals)


def _is_narrow(who: Actor | Principal) -> bool:
    return isinstance(who, Principal) and who.only_own


def _holds(actor: Actor, posts: frozenset[str]) -> bool:
    """Whether the actor, or somebody they deputise for today, holds one of them."""
    return bool(posts & actor.posts) or any(posts & who.posts for who in actor.principals)
