"""Who acts: a person or a program, how they came in, their posts at that moment, whom they deputise for. Pure."""

from functools import lru_cache

import msgspec

from casework.log.format.entry import SignedActor as Signed

SYSTEM_POST = "system"
PROGRAM = "program"


class Principal(msgspec.Struct, frozen=True):
    """Somebody away whose work the actor does today: their number, the posts they lend, their place.

    `only_own`: lent by the roster, for the cases that they own or handle and no others.
    """

    id: str
    posts: frozenset[str]
    team: str | None = None
    region: str | None = None
    only_own: bool = False


class Actor(msgspec.Struct, frozen=True):
    """`id` is a staff number, `system` or `<owner>:<program>`; `kind` staff, system or program; `posts` are codes.

    `via` is api, cli, feed or sweep.

    `commands`: what an API key may do (none: whatever its holder may). `register_version`: of the register as it was
    when this actor was looked up (none: just now).
    """

    id: str
    kind: str
    via: str
    posts: frozenset[str]
    team: str | None = None
    region: str | None = None
    principals: tuple[Principal, ...] = ()
    commands: frozenset[str] | None = None
    register_version: int | None = None

    @property
    def signed(self) -> Signed:
        """As the audit entry names them."""
        return _signed(self.id, self.kind, self.via)

    @property
    def people(self) -> frozenset[str]:
        """The actor and those they deputise for: none of them may decide what another of them asked for (1.1.4)."""
        return frozenset({self.id, *(principal.id for principal in self.principals)})


@lru_cache(maxsize=4_096)
def _signed(actor_id: str, kind: str, via: str) -> Signed:
    return Signed(actor_id, kind, via)


def program(owner: str, name: str, commands: frozenset[str], register_version: int) -> Actor:
    """A program in its own name: it holds no post, and may do the commands of its key that are open to programs."""
    return Actor(f"{owner}:{name}", PROGRAM, "api", frozenset(), commands=commands, register_version=register_version)


def system(via: str) -> Actor:
    """The service itself: it holds the post `system` and no other."""
    return Actor("system", "system", via, frozenset({SYSTEM_POST}))
