"""A case as a dossier: entries with proofs, for court and auditors; handing it out is an entry, committed before."""

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import QueryParameter

from api.auth import still_valid
from api.permitted import case_in_sight
from api.reading.asking import answers, reader_of
from api.reading.cases import CaseId
from casework.evidence.dossier.make import make_dossier, record_made
from casework.evidence.dossier.opened import check_and_record
from casework.log.format.dossier import Dossier
from casework.log.format.tree import MAX_SIZE
from casework.log.write import signer
from casework.storage.database import reading, writing
from casework.work.cases.filter import filter_malformed

WithOpenings = Annotated[
    bool, QueryParameter(description="With the texts that entries commit to, in clear; `purpose` says what for.")
]
Purpose = Annotated[
    str | None, QueryParameter(max_length=64, description="A purpose of permissions.toml; with `openings` only.")
]

Held = Annotated[
    int | None,
    QueryParameter(
        ge=0, le=MAX_SIZE, description="The size of a checkpoint that you hold: proof that the log goes on from it."
    ),
]

_HASH = "X1ZfWlpfXlpeXF5aWl5aXFpeWlpeXFpeWlpeXFpeWlo="
_PROVEN = {"leaf_index": 4711, "body": '{"actor":{"id":"S0012",…},"entry_id":"case:1207:1",…}', "proof": [_HASH]}
_EXAMPLE = {
    "schema": "casework/dossier/v1", "case": 1207, "origin": "branch.example/log",
    "checkpoint": "branch.example/log\n81234\nX1Zf…\n\n— branch.example/log 1a2b3c4d…\n", "entries": [_PROVEN],
    "heads": {"entry": {**_PROVEN, "body": '{…,"event":"log.heads",…}'}, "index": 1100, "proof": [_HASH]},
    "later": [], "list_acts": [], "openings": [], "since": None, "made_at": "2026-03-09T08:20:00.000001Z",
}  # fmt: skip


@get(
    "/cases/{case_id:int}/dossier",
    sync_to_thread=True,
    responses=answers(
        Dossier, _EXAMPLE, "unknown_case", "invalid_request", "filter_malformed", "log_not_begun",
        "no_checkpoint", "heads_not_stated", "not_sealed_yet", "case_not_in_heads", "heads_not_kept", "case_too_long",
        "dossier_unsound", "size_unknown", "tree_damaged", "log_keys_malformed",
        "reveal_not_permitted", "purpose_not_permitted", "purpose_unknown",
        "database_busy", "database_full",
    ),
    tags=["cases"],
)  # fmt: skip
def case_dossier(
    request: Request[Any, Any, Any], case_id: CaseId, openings: WithOpenings = False, purpose: Purpose = None,
    since: Held = None,
) -> Response[bytes]:  # fmt: skip
    """All entries of the case as of the newest daily statement, and later ones, each proven under one checkpoint.

    `list_acts` is what was done with tasks about it, proven too; that those are all is not shown.

    With the log's verifier key it is verified anywhere: `casework case verify-dossier`.
    """
    serving, _ = reader_of(request, "openings", "purpose", "since")
    if openings != (purpose is not None):
        raise filter_malformed("purpose", "given where `openings` is true, and only there")
    with reading(serving.engine, snapshot=True) as conn:
        found = case_in_sight(conn, request, case_id)
        keys = signer.known_keys(serving.settings.keys_dir)
        made = make_dossier(conn, serving.branch, case_id, keys, with_openings=openings, since=since)
    with writing(serving.engine) as conn:
        actor = still_valid(conn, request)  # a token that died a moment ago is handed nothing
        if purpose is not None:
            names = {name for _, name in made.shown.opened}
            check_and_record(conn, serving.branch, actor, found, names, purpose)
        record_made(conn, serving.branch, actor, made)
    return Response(made.data, media_type="application/json")
