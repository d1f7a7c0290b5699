"""The application: routes, docs, and what lives as long as the process."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.template import TemplateConfig
from litestar.types import ASGIApp
from litestar.utils.sync import AsyncCallable
from sqlalchemy.engine import Engine

from api import (
    assignments,
    bulk,
    chart_moves,
    console,
    contact_book,
    contact_breaches,
    contact_corrections,
    contact_files,
    contact_permits,
    contact_reviews,
    contacts,
    day,
    disposals,
    distribution,
    duties,
    events,
    handovers,
    health,
    imports,
    lifecycles,
    log,
    log_proofs,
    logs,
    openings,
    outages,
    own_access,
    people,
    people_changes,
    photos,
    programs,
    reading,
    repairs,
    requests,
    reset_codes,
    roster,
    row_files,
    session,
    tasks,
    templates,
    visits,
    work_lists,
)
from api.admission import Admission
from api.auth import Tokens
from api.awaiting import Awaiting
from api.behind import Behind
from api.connection_limits import ConnectionLimits
from api.connections import Connections
from api.console.described import pages as described_pages
from api.console.frame.errors import on_pages
from api.console.frame.page import compile_all, engine
from api.cross_origin import across_origins
from api.day_clock import DayClock
from api.description import keep_words_of, openapi
from api.edge import Edge
from api.importing import Imports
from api.language import LANGUAGE
from api.manners import Manners
from api.metrics import Metrics
from api.nouns import described
from api.parent import end_with_parent
from api.permit_desk import PermitDesk
from api.permitted import Permitted, pages_of, permitted
from api.problems import EXCEPTION_HANDLERS
from api.reading import lifecycles as looking
from api.receipts import Receipts
from api.request import JsonRequest
from api.sealing import Sealing
from api.sealing_apart import STATE, SealingApart
from api.serving import Serving
from api.struct_schema import Structs
from api.writer import Writer
from casework.errors import CallerError
from casework.large_buffers import give_back_large_buffers
from casework.operation.startup import Started, start
from casework.people.identity.issuer import Issuer
from casework.settings import Settings
from casework.storage import database
from casework.storage.append_only import has_owner_rights
from casework.storage.garbage import keep_for_good

MAX_BODY_BYTES = 1024 * 1024


def from_environment() -> Litestar:
    """What each worker of `casework serve` runs."""
    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    end_with_parent()
    give_back_large_buffers()
    app = create_app(settings)
    keep_for_good()
    return app


@dataclass(frozen=True)
class Assembled:
    """Routes, their description and the answers to errors, before there is a branch to serve."""

    app: Litestar
    routes: ASGIApp
    """What the framework made of them, with the manners of all, without the edge."""


def assemble(feed_upload_mib: int) -> Assembled:
    """The application without its branch; knows of the settings only how large an uploaded feed may be."""
    routes = _routes(feed_upload_mib)
    keep_words_of(routes)
    structs = Structs()
    app = Litestar(
        route_handlers=routes,
        dependencies=LANGUAGE,
        before_request=permitted,
        lifespan=[_running],
        exception_handlers=on_pages(EXCEPTION_HANDLERS),
        request_class=JsonRequest,
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=openapi(structs),
        plugins=[structs],
        template_config=TemplateConfig(instance=engine()),
        logging_config=None,
        debug=False,
    )
    _wrap_once(app)
    structs.app = app
    return Assembled(app, Manners(app.asgi_handler))


def _wrap_once(app: Litestar) -> None:
    """The framework wraps a handler that runs in a thread anew for each other one of its place; then none is awaited.

    It would be answered 500 wherever it makes the response itself.
    """
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            while isinstance(handler.fn, AsyncCallable) and isinstance(handler.fn.func, AsyncCallable):
                handler._fn = handler.fn.func  # noqa: SLF001  # there is no other way to it


def create_app(settings: Settings, assembled: Assembled | None = None) -> Litestar:
    """The API on the branch that `settings` name: `on_branch` of it, started.

    CallerError when the database, its keys or its rights are not as they must be; TryAgain when the database does not
    answer.
    """
    return on_branch(start(settings), assembled)


def on_branch(started: Started, assembled: Assembled | None = None) -> Litestar:
    """The API on a branch that was started.

    `assembled`: what another application, whose time is over, was made of; it serves this branch from now on.
    CallerError when the database's rights are not as they must be; RulesBroken when a route has no row in the
    permission table, or a row no route.
    """
    settings = started.settings
    refuse_owner(started.engine, settings)
    assembled = assembled or assemble(settings.feed_upload_mib)
    metrics, behind = Metrics(), Behind(started)
    metrics.begin(started)
    serving = Serving(
        started, Writer(started, metrics), Tokens(started.engine, started.branch, Issuer.of(settings)), metrics,
        Imports(started, behind), Admission(), Receipts(settings, metrics), Awaiting(started.engine),
        _sealing(started), Connections(ConnectionLimits.of(settings), metrics), PermitDesk(started),
        DayClock(started), behind,
    )  # fmt: skip
    app = assembled.app
    table = Permitted(started.branch.rulebook.permissions, pages_of(app))
    table.check_routes(app)
    app.state = State({"serving": serving, "permitted": table})  # nothing of a branch served before is left in it
    app.asgi_handler = across_origins(Edge(assembled.routes, serving), settings.cors_origins)
    return app


def _sealing(started: Started) -> Sealing | SealingApart:
    """What is known of the process that seals for this one, if `casework serve` has begun one; else a thread."""
    file = os.environ.get(STATE)
    return Sealing(started) if file is None else SealingApart(Path(file))


@asynccontextmanager
async def _running(app: Litestar) -> AsyncIterator[None]:
    serving: Serving = app.state["serving"]
    serving.writer.start()
    serving.sealing.start()
    serving.day_clock.start()
    # Beside the first requests: whoever looks at no page does not wait for it.
    compiling = asyncio.get_running_loop().run_in_executor(None, compile_all, app)
    try:
        yield
    finally:
        await compiling
        serving.behind.stop()
        serving.awaiting.close()
        serving.imports.stop()
        serving.behind.close()
        serving.writer.stop()  # requests have ended by now; what they left waiting is written first
        serving.day_clock.stop()
        serving.sealing.stop()
        serving.admission.close()
        serving.tokens.close()
        serving.engine.dispose()
        logs.drain()


def refuse_owner(engine: Engine, settings: Settings) -> None:
    """On PostgreSQL the service must not be able to take the log's guards down (docs/log.md §6)."""
    if settings.allow_owner:
        return
    with database.reading(engine) as conn:
        if has_owner_rights(conn):
            raise CallerError("owner_rights")


def _routes(feed_upload_mib: int) -> list[Any]:
    # Only what a bank sends may be larger than any other body.
    uploads = [*imports.route_handlers, *row_files.route_handlers, *contact_files.uploads]
    uploads += console.uploads
    large = Router("/", route_handlers=uploads, request_max_body_size=feed_upload_mib * 1024 * 1024)
    of_photos = Router(
        "/", route_handlers=[*photos.uploads, *console.photo_uploads], request_max_body_size=photos.MAX_BODY_BYTES
    )
    changing = [*events.route_handlers, *openings.route_handlers, *bulk.route_handlers, large, of_photos]
    nouns = described()
    changing += lifecycles.route_handlers(nouns)
    changing += [*assignments.route_handlers, *distribution.route_handlers]
    changing += [*outages.route_handlers, *duties.route_handlers]
    changing += [
        *contacts.route_handlers,
        *contact_corrections.route_handlers,
        *contact_files.route_handlers,
        *templates.route_handlers,
        *contact_book.route_handlers,
        *contact_permits.route_handlers,
        *contact_breaches.route_handlers,
        *contact_reviews.route_handlers,
        *repairs.route_handlers,
    ]
    changing += [*tasks.route_handlers, *work_lists.route_handlers]
    changing += [*day.route_handlers, *handovers.route_handlers]
    changing += [*requests.route_handlers, *chart_moves.route_handlers]
    identity = [*session.route_handlers, *own_access.route_handlers, *reset_codes.route_handlers]
    identity += programs.route_handlers
    register = [*people.route_handlers, *people_changes.route_handlers, *roster.route_handlers]
    return [
        *health.route_handlers,
        *identity,
        *register,
        *changing,
        *reading.route_handlers,
        *photos.route_handlers,
        *repairs.reading,
        *visits.route_handlers,
        *disposals.reading_handlers,
        *looking.route_handlers(nouns),
        *log.route_handlers,
        *log_proofs.route_handlers,
        *described_pages.route_handlers,
        *console.route_handlers(nouns),
    ]
