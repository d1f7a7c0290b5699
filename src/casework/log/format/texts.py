"""How published texts are announced and cited (docs/log.md §3). Pure."""

from typing import Final

RULEBOOK: Final = "rulebook:"  # streams that announce texts
PUBLISHED: Final = ".published"  # how their events end


def reference(kind: str, name: str, digest: str) -> str:
    """How entries cite a published text: a policy by its date, whatever its edition (docs/log.md §3)."""
    return f"{name.partition('.')[0] if kind == 'policy' else name}#{digest}"
