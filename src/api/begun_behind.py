"""Work that takes longer than an answer, for the request that begins it and those that look at it (`api.behind`)."""

from collections.abc import Callable
from typing import Any

from litestar import Request

from api.auth import actor_of
from api.behind import Came, Kind, Run, Went
from api.problems import request_id_of
from api.serving import serving_of


def behind(request: Request[Any, Any, Any], kind: Kind, whose: str = "", job_id: int | None = None) -> Run:
    """The last run of this kind (and of whose, where each has their own), begun by any process: asks the database.

    `job_id`: an earlier one, by its number.
    """
    return serving_of(request).behind.find(kind, whose, job_id)


def begin(
    request: Request[Any, Any, Any], kind: Kind, work: Callable[[Went], Came], about: Any = None, whose: str = ""
) -> bool:
    """Let `work` run behind for whoever asks, unless one of its name runs; whether it began. It asks the database."""
    by, request_id = actor_of(request).id, request_id_of(request)
    return serving_of(request).behind.begin(kind, whose, by, request_id, work, about)


__all__ = ["Came", "Kind", "Run", "Went", "begin", "behind"]
