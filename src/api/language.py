"""In which of the two languages an answer for people is written: one rule for files, drawings and open pages."""

import re
from typing import Annotated, Final, get_args

from litestar.di import NamedDependency, Provide
from litestar.params import HeaderParameter, QueryParameter

from casework.table import Lang

LANGUAGES: Final[tuple[Lang, ...]] = get_args(Lang)
_WEIGHT: Final = re.compile(r";\s*q=(0(?:\.\d{1,3})?|1(?:\.0{1,3})?)\s*$")
_READ: Final = 20
Language = NamedDependency[Lang]
"""The kind of a handler's `spoken`, which it has from `LANGUAGE`."""


def accepted(header: str) -> Lang:
    """The first of the two languages that `Accept-Language` names, by its weights; Chinese if it names none."""

    def weight(part: str) -> float:
        told = _WEIGHT.search(part)
        return float(told[1]) if told else 1.0

    wanted = sorted((part for part in header.split(",")[:_READ] if weight(part)), key=weight, reverse=True)
    named = (part.strip()[:2].lower() for part in wanted)
    return next((known for one in named for known in LANGUAGES if known == one), LANGUAGES[0])


def _language(
    chosen: Annotated[
        Lang | None,
        QueryParameter(name="lang", description="Of headings and labels; left out: as `Accept-Language` has it."),
    ] = None,
    accept: Annotated[
        str,
        HeaderParameter(
            name="Accept-Language", max_length=1_024, description="Where `lang` is left out; Chinese, if it names none."
        ),
    ] = "",
) -> Lang:
    return chosen or accepted(accept)


LANGUAGE: Final = {"spoken": Provide(_language, sync_to_thread=False)}
