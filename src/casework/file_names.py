"""What a file is called that somebody takes out: what it is, of what, of which day. Pure."""

import hashlib
from datetime import date
from typing import Final, NamedTuple

_SIGNS: Final = str.maketrans("", "", '\\/:*?"<>|\r\n\t')
_LOST: Final = 8


class FileName(NamedTuple):
    """`name` is for people, in any script; `plain` says the same to clients that know ASCII alone (`curl -OJ`)."""

    name: str
    plain: str


def file_name(title: str, subject: str, *parts: str | int | date | None, kind: str) -> FileName:
    """`title` as people say it, `subject` its code; then of what and of which day, from the whole to its parts.

    Both are one where people's is ASCII. No two files of different parts have one name: what ASCII cannot say of a part
    is told by a digest of it.
    """
    told = [one for part in parts if part is not None and (one := str(part).translate(_SIGNS).strip())]
    name = "-".join([title.translate(_SIGNS).strip(), *told])
    if name.isascii():
        return FileName(f"{name}.{kind}", f"{name}.{kind}")
    plain = "-".join([subject.replace("_", "-"), *map(_plain, told)])
    return FileName(f"{name}.{kind}", f"{plain}.{kind}")


def aside_name(of: str, number: int, on: date | None, *, kind: str) -> FileName:
    """Of the rows that a file of this form set aside: the run that read it, and the day that it was of or came on."""
    return file_name("退回行", "set-aside", number, of.replace("_", "-"), on, kind=kind)


def _plain(part: str) -> str:
    kept = "".join(sign for sign in part if sign.isascii() and (sign.isalnum() or sign in "._-"))
    if kept == part:
        return part
    return "-".join(filter(None, (kept.strip("-"), hashlib.sha256(part.encode()).hexdigest()[:_LOST])))
