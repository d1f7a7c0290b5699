"""Who acts: a person or a program, how he came in, and the posts he holds at that moment. Pure."""

from dataclasses import dataclass
from functools import lru_cache

from casework.audit.entry import Actor as Signed

SYSTEM_POST = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """`id` is a staff number or `system`; `kind` staff or system; `via` api, cli, feed or sweep; `posts` are codes."""

    id: str
    kind: str
    via: str
    posts: frozenset[str]

    @property
    def signed(self) -> Signed:
        """As the audit entry names him."""
        return _signed(self.id, self.kind, self.via)


@lru_cache(maxsize=4_096)
def _signed(actor_id: str, kind: str, via: str) -> Signed:
    return Signed(actor_id, kind, via)


def system(via: str) -> Actor:
    """The service itself: it holds the post `system` and no other."""
    return Actor("system", "system", via, frozenset({SYSTEM_POST}))
