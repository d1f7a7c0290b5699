"""What holds for operations of a kind, declared once: the problems that any may answer, the headers that answers carry.

A route declares what is its own. What the edge, the framework and the way to the writer do to every route is read here
from what the route takes: its parameters, its body, its method.
"""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from litestar.enums import ParamType
from litestar.openapi.spec import (
    Components,
    Example,
    OpenAPI,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    PathItem,
    Reference,
    Schema,
)
from litestar.openapi.spec.enums import OpenAPIType

from api.manners import CURSORS
from api.problems import MEDIA_TYPE, code_of_http, described_as, example_of, status_of

METHODS: Final = ("get", "put", "post", "delete", "patch")
_JSON: Final = "application/json"
_PROBLEM: Final = Reference(ref="#/components/schemas/Problem")
_DONE: Final = (200, 201, 202, 204)
_CUT: Final = (".csv", ".xlsx", ".jsonl")


@dataclass(frozen=True, slots=True)
class Taken:
    """What an operation takes, as far as its answers depend on it."""

    method: str
    path: str
    parameters: frozenset[str]
    """Where each is given, and its name: `query limit`, `header If-Match`."""
    body: frozenset[str]
    """Media types; empty where it takes none."""
    statuses: frozenset[int]
    """Of its own answers."""
    answers_strangers: bool
    has_version: bool
    """Whether it is of one thing that changes name by its version, or of what may be done with that."""

    def takes(self, place: str) -> bool:
        """Whether a parameter is given there."""
        return any(name.startswith(f"{place} ") for name in self.parameters)

    @property
    def changes(self) -> bool:
        """Whether it may write entries that a receipt names."""
        return self.method != "get"


@dataclass(frozen=True, slots=True)
class Answer:
    """One of its answers: the status, and the media types that it may have."""

    of: Taken
    status: int
    kinds: frozenset[str]

    @property
    def is_read(self) -> bool:
        """Whether it is what a GET asked for."""
        return self.of.method == "get" and self.status == 200

    @property
    def is_of_one(self) -> bool:
        """Whether it is one thing that a GET asked for, with its version."""
        return self.is_read and _JSON in self.kinds and self.of.has_version

    @property
    def is_page(self) -> bool:
        """Whether it is a page of several."""
        return self.is_read and _JSON in self.kinds and any(f"query {name}" in self.of.parameters for name in CURSORS)

    @property
    def is_recorded(self) -> bool:
        """Whether what wanted a change was done or refused, and the log may say so."""
        return self.of.changes and self.status in (*_DONE, 403, 409, 412)

    @property
    def is_decided(self) -> bool:
        """Whether what wanted a change was looked at: a key keeps such an answer, and it knows the version."""
        return self.is_recorded or (self.of.changes and self.status == 422)


# ── headers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Sent:
    """A header of answers: what it says, and which answers may carry it."""

    name: str
    says: str
    on: Callable[[Answer], bool]
    type: OpenAPIType = OpenAPIType.STRING


SENT: Final = (
    Sent("X-Request-Id", "The request's own, or one made for it; the log of the service has it too.", lambda _: True),
    Sent("X-Content-Type-Options", "`nosniff`", lambda _: True),
    Sent("Cache-Control", "Who may keep it: nobody (`no-store`), where nothing else is said.", lambda _: True),
    Sent(
        "ETag", "Its version; a change names it in `If-Match`.",
        lambda one: one.status in (201, 304) or one.is_of_one or (one.is_decided and one.of.takes("path")),
    ),
    Sent(
        "Location", "Where it is found.",
        lambda one: one.status in (201, 202) or (one.status == 200 and 201 in one.of.statuses),
    ),
    Sent("Link", "The page after this one (RFC 8288), `rel=\"next\"`.", lambda one: one.is_page),
    Sent("WWW-Authenticate", "`Bearer`", lambda one: one.status == 401),
    Sent(
        "Retry-After", "Seconds after which to try again.",
        lambda one: one.status in (429, 503, 507), OpenAPIType.INTEGER,
    ),
    Sent("Content-Disposition", "The name of the file.", lambda one: one.is_read and _JSON not in one.kinds),
    Sent(
        "Casework-Cut", "Whether there was more than one file takes.",
        lambda one: one.is_read and one.of.path.endswith(_CUT), OpenAPIType.BOOLEAN,
    ),
    Sent(
        "Idempotent-Replay", "`true`: it is the answer that the first request with this key got.",
        lambda one: one.is_decided and "header Idempotency-Key" in one.of.parameters, OpenAPIType.BOOLEAN,
    ),
    Sent("Receipt", "A signed note (C2SP) in base64: the entries of the change, with their leaf hashes.",
         lambda one: one.is_recorded),
    Sent("Receipt-Omitted", "How many entries the change has, where they are too many for `Receipt`.",
         lambda one: one.is_recorded, OpenAPIType.INTEGER),
    Sent("Preference-Applied", "`sealed`, where that was preferred and came in time.", lambda one: one.is_recorded),
    Sent("Sealed-In", "Size of the signed checkpoint that covers the change, beside `Preference-Applied`.",
         lambda one: one.is_recorded, OpenAPIType.INTEGER),
)  # fmt: skip
"""Headers of HTTP itself (Content-Type, Date …) are not declared: OpenAPI 3.1 passes them over."""


def _declare_headers(answer: Answer, response: OpenAPIResponse) -> None:
    own = response.headers or {}
    there = {name.lower() for name in own}
    response.headers = {
        **own,
        **{
            sent.name: Reference(ref=f"#/components/headers/{sent.name}")
            for sent in SENT
            if sent.name.lower() not in there and sent.on(answer)
        },
    }


# ── what is taken ────────────────────────────────────────────────────────────────────────────────────────────────────

_PREFER: Final = Parameter(
    name="Prefer", param_in="header", required=False, schema=Schema(type=OpenAPIType.STRING),
    description="RFC 7240. `sealed, wait=10`: the answer comes once a signed checkpoint covers the change "
                "(5 s by default, 30 at most). What is not understood is passed over.",
)  # fmt: skip


_IF_NONE_MATCH: Final = Parameter(
    name="If-None-Match", param_in="header", required=False, schema=Schema(type=OpenAPIType.STRING),
    description="The `ETag` that is known: 304 without a body where it is still so.",
)  # fmt: skip


_OPTIONS: Final = "/options"


def _taken(path: str, method: str, operation: Operation, versioned: Container[str]) -> Taken:
    named = [one for one in operation.parameters or () if isinstance(one, Parameter)]
    body = operation.request_body
    kinds = () if body is None or isinstance(body, Reference) else body.content
    parameters = frozenset(f"{ParamType(one.param_in).value} {one.name}" for one in named)
    statuses = frozenset(map(int, operation.responses or ()))
    return Taken(
        method,
        path,
        parameters,
        frozenset(kinds),
        statuses,
        operation.security == [{}],
        path.removesuffix(_OPTIONS) in versioned,
    )


def codes_of(one: Taken) -> Iterator[str]:
    """Codes of the problems that such an operation may answer, whatever else it says."""
    yield from ("malformed_header", "not_authenticated", "internal_error", "database_gone", "overloaded")
    if not one.answers_strangers:
        yield from ("post_not_permitted", "key_not_permitted", "second_factor_pending")
    if one.takes("path"):
        yield "not_found"
    if not one.changes:
        yield "filter_malformed"
    if one.takes("query") or one.takes("path") or one.body or one.changes:
        yield "invalid_request"
    if one.body:
        yield from ("malformed_request", "body_too_large", "unsupported_media_type")
    if _JSON in one.body:
        yield "malformed_json"
    if "header Idempotency-Key" in one.parameters:
        yield from ("answer_erased", "idempotency_running", "idempotency_mismatch")


def declare(document: OpenAPI) -> None:
    """In a description whose operations say what is their own; said twice it is the same."""
    components: Components = document.components
    components.headers = {
        sent.name: OpenAPIHeader(description=sent.says, schema=Schema(type=sent.type)) for sent in SENT
    }
    problems: set[str] = set()
    versioned = {path.rpartition("/")[0] for path, item in (document.paths or {}).items() if _names_a_version(item)}
    for path, item in (document.paths or {}).items():
        for method in METHODS:
            operation: Operation | None = getattr(item, method)
            if operation is not None:
                problems |= _declare(operation, _taken(path, method, operation, versioned))
    components.examples = {code: example_of(code) for code in sorted(problems)}


def _names_a_version(item: PathItem) -> bool:
    """Whether what changes here says which version it saw."""
    named = () if item.post is None else item.post.parameters or ()
    return any(isinstance(one, Parameter) and one.name == "If-Match" for one in named)


def _declare(operation: Operation, taken: Taken) -> set[str]:
    """The codes of the problems that it may answer by now."""
    named = _declare_problems(operation, codes_of(taken))
    _declare_unchanged(operation, taken)
    if taken.changes and f"header {_PREFER.name}" not in taken.parameters:
        operation.parameters = [*(operation.parameters or ()), _PREFER]
    for status, response in (operation.responses or {}).items():
        if isinstance(response, OpenAPIResponse):
            _name_examples_once(response)
            _declare_headers(Answer(taken, int(status), frozenset(response.content or ())), response)
    return named


def _declare_unchanged(operation: Operation, taken: Taken) -> None:
    responses = operation.responses or {}
    found = responses.get("200")
    if not isinstance(found, OpenAPIResponse) or not Answer(taken, 200, frozenset(found.content or ())).is_of_one:
        return
    operation.responses = {**responses, "304": OpenAPIResponse(description="As `If-None-Match` knows it.")}
    if f"header {_IF_NONE_MATCH.name}" not in taken.parameters:
        operation.parameters = [*(operation.parameters or ()), _IF_NONE_MATCH]


def _declare_problems(operation: Operation, codes: Iterable[str]) -> set[str]:
    """What the framework describes in its own form is one too; each has its example, written once for all."""
    by_status: dict[str, dict[str, None]] = {}
    responses = operation.responses = operation.responses or {}
    for status, response in responses.items():
        if int(status) >= 400 and isinstance(response, OpenAPIResponse):
            media = (response.content or {}).get(MEDIA_TYPE)
            by_status[status] = dict.fromkeys(media.examples or {} if media else [code_of_http(int(status))])
    for code in codes:
        by_status.setdefault(str(status_of(code)), {})[code] = None
    for status, names in by_status.items():
        examples: dict[str, Example | Reference] = {
            code: Reference(ref=f"#/components/examples/{code}") for code in names
        }
        responses[status] = OpenAPIResponse(
            description=described_as(int(status), names),
            content={MEDIA_TYPE: OpenAPIMediaType(schema=_PROBLEM, examples=examples)},
        )
    operation.responses = dict(sorted(responses.items()))
    return {code for names in by_status.values() for code in names}


def _name_examples_once(response: OpenAPIResponse) -> None:
    """An example's id is its key: said within it too, OpenAPI 3.1 (4.8.19) knows it not."""
    for media in (response.content or {}).values():
        for example in (media.examples or {}).values():
            if isinstance(example, Example):
                example.id = None
