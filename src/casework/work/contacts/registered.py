"""Why a contact goes to review unasked, beside the gate: no recording, no template, what the branch has not registered.

The lines to call from and the approved templates are policy (`contact.lines`, `contact.templates`), so each contact is
held to what was registered on its day. As long as the branch has entered none, nothing is known of them, and whatever
a contact names goes unquestioned; a message that names no template goes to review all the same. Pure.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from casework.rules.statechart.policy import Policy
from casework.work.contacts.contact import RECORDED, WRITTEN

WHY: Final[Mapping[str, tuple[str, str]]] = {
    "unrecorded": ("未录音", "no recording"),
    "unregistered_line": ("线路未登记", "line not registered"),
    "no_template": ("未用模板", "no template"),
    "unknown_template": ("模板未核准", "template not approved"),
}
"""The reasons in their order, in Chinese and English."""


class Registered(NamedTuple):
    """What the branch has registered; empty: it has entered none yet."""

    lines: frozenset[str] = frozenset()
    templates: frozenset[str] = frozenset()

    def reasons(self, channel: str, line: str | None, template: str | None, *, recorded: bool) -> tuple[str, ...]:
        """Why such a contact goes to review, in the order of `WHY`; mostly for nothing."""
        found = []
        if channel in RECORDED and not recorded:
            found.append("unrecorded")
        if line is not None and self.lines and line not in self.lines:
            found.append("unregistered_line")
        if channel in WRITTEN and template is None:
            found.append("no_template")
        if template is not None and self.templates and template not in self.templates:
            found.append("unknown_template")
        return tuple(found)


def registered_on(policy: Policy) -> Registered:
    """The lines and templates of a policy."""
    lines: Any = policy.figures["contact.lines"] or ()
    templates: Any = policy.figures["contact.templates"] or ()
    return Registered(frozenset(lines), frozenset(templates))


def on_every_list(known: Collection[Registered]) -> Registered:
    """What is on each of some lists, but for the empty ones: nothing else is beyond question on all of their days."""
    lines = [one.lines for one in known if one.lines]
    templates = [one.templates for one in known if one.templates]
    return Registered(
        frozenset.intersection(*lines) if lines else frozenset(),
        frozenset.intersection(*templates) if templates else frozenset(),
    )
