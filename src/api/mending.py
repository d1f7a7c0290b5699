"""Rows that a file was set aside for, given back to whoever sent it: to be mended and sent again, XLSX or CSV."""

from typing import Any, Final

from litestar import Request, Response

from api.auth import still_valid
from api.behind import Run
from api.reading.exports import CSV, XLSX, file_named
from api.serving import serving_of
from casework.errors import CallerError
from casework.file_names import aside_name
from casework.intake.feed.aside import record_aside_read
from casework.intake.sheets.forms import forms_of
from casework.intake.sheets.mending import as_workbook
from casework.storage.database import writing

MEND: Final = ("xlsx", "csv")


def to_mend(request: Request[Any, Any, Any], run: Run, word: str, kind: str) -> Response[bytes]:
    """The rows of a run's file of this form, as `kind`, once their reading is on record; `nothing_set_aside`."""
    serving = serving_of(request)
    kept = serving.behind.file_of(run) if run.has_file else b""
    if not kept:
        raise CallerError("nothing_set_aside")
    with writing(serving.engine) as conn:
        record_aside_read(conn, serving.branch, still_valid(conn, request), word, masked=False)
    columns = forms_of(serving.branch)[word].columns
    body, media_type = (as_workbook(kept, columns), XLSX) if kind == "xlsx" else (kept, CSV)
    day = serving.branch.today(run.began_at) if run.began_at is not None else None
    return file_named(body, media_type, aside_name(word, run.job_id, day, kind=kind))
