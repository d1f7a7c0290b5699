"""How much of the past is shown at once: apart, so that a command's help, which only names it, imports no database."""

from typing import Final

MAX_PAGE: Final = 1_000
"""Cases on a page."""
