"""How quickly a long command goes, for who is watching it."""

from rich.progress import ProgressColumn, Task
from rich.text import Text


class Rate(ProgressColumn):
    """Rows a second, of the last half minute."""

    def render(self, task: Task) -> Text:
        """Nothing until there is something to divide."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


__all__ = ["Rate"]
