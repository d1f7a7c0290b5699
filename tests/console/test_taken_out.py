"""Every list that is taken out, by a program or by hand: it opens, is marked and on record, and nothing in it acts."""

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import unquote

import msgspec
import pytest
import sqlalchemy as sa
from python_calamine import CalamineWorkbook

from casework.clock import now
from casework.log.tables import entries
from casework.storage.database import reading
from tests.api.conftest import BUSINESS_DATE, Running
from tests.console.conftest import Browsing

DAY: Final = f"on={BUSINESS_DATE}"
ACTIVE: Final = tuple("=+-@\t\r\n＝＋－＠")
NO_LISTS: Final = {
    "set-aside.csv": "rows to be mended and sent again, in the form of the file that came",
    "set-aside.xlsx": "the same",
    "form.xlsx": "one form, to be signed",
    "receipts.xlsx": "of one hand-over: tests/console/test_files.py", "receipts.csv": "the same",
    "set-aside-why.xlsx": "of a file that was sent: tests/console/test_contact_files.py",
    "set-aside-why.csv": "the same",
}  # fmt: skip
ASKED: Final = {
    "/contacts/to-review": f"from={BUSINESS_DATE}&to={BUSINESS_DATE}", "/day/ledger": DAY, "/day/report": DAY,
    "/duties": f"{DAY}&owed_by=R1", "/console/evening/ledger": DAY, "/console/evening/report": DAY,
    "/console/evening/duties": f"{DAY}&owed_by=R1", "/console/work-lists": "name=phone",
}  # fmt: skip
"""What they cannot be asked for without."""
UNASKED: Final = ("/console/evening/ledger", "/console/evening/report")  # the day's papers, for one purpose only
ASKERS: Final = ("AUD1", "B1", "R1")
CHINESE: Final = re.compile("[\u4e00-\u9fff]")


def places(running: Running) -> list[str]:
    """Every address that ends as a file of a table does, whatever it is of."""
    found = {route.path for route in running.client.app.routes}
    return sorted(
        path for path in found if path.endswith((".csv", ".xlsx")) and PurePosixPath(path).name not in NO_LISTS
    )


def cells_of(content: bytes, kind: str) -> tuple[list[list[Any]], str]:
    """The header and lines, and the mark."""
    if kind == "csv":
        *lines, (mark,) = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        return lines, mark
    _, told, *cells = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    return cells, str(told[0])


def is_json(cell: Any) -> bool:
    """Whether a program wrote it for programs."""
    try:
        return isinstance(json.loads(str(cell)), list | dict)
    except ValueError:
        return False


def checked(content: bytes, kind: str, staff_no: str) -> list[str]:
    """The header of a file that is as each must be."""
    (header, *lines), mark = cells_of(content, kind)
    flat = [cell for line in lines for cell in line]
    assert not [cell for cell in flat if is_json(cell)]
    assert staff_no in mark
    assert str(now().year) in mark
    assert "时间" in mark or "times in" in mark
    if kind == "csv":
        assert not [cell for cell in (*flat, mark) if cell[:1] in ACTIVE]
        return header
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        sheets = [parts.read(name).decode() for name in parts.namelist() if "/worksheets/" in name]
    for sheet in sheets:
        assert all(part in sheet for part in ('orientation="landscape"', 'fitToHeight="0"', "<pane ", "<autoFilter "))
        assert "<f>" not in sheet
    return header


def taken(running: Running, someone: Mapping[str, Browsing], path: str, lang: str) -> tuple[str, Any]:
    """Who may take it out, and the answer."""
    base, answer = path.rpartition(".")[0], None
    for staff_no, at_browser in someone.items():
        if path.startswith("/console/"):
            asked = "&".join(filter(None, (ASKED.get(base, ""), "" if base in UNASKED else "purpose=work")))
            at_browser.cookies["casework_lang"] = lang
            answer = at_browser.get(f"{path}?{asked}")
        else:
            answer = running.get(f"{path}?{ASKED.get(base, '')}&lang={lang}".replace("?&", "?"), staff_no)
            if answer.status_code == 422:
                answer = running.get(f"{path}?{ASKED.get(base, '')}", staff_no)
        if answer.status_code == 200:
            return staff_no, answer
    raise AssertionError(f"{path}: {answer and answer.text[:300]}")


def exports(running: Running) -> list[tuple[str, Any]]:
    """What is on record of files."""
    with reading(running.started.engine) as conn:
        found = conn.execute(sa.select(entries.c.stream, entries.c.body).where(entries.c.stream.like("exports:%")))
        return [(stream, msgspec.json.decode(body)) for stream, body in found]


@pytest.mark.only("sqlite")
def test_each_opens_is_marked_and_on_record_in_both_languages_and_no_cell_is_json_or_acts(
    browse: Callable[..., Browsing], running: Running
) -> None:
    """Whatever a file is of: a loan, a product, a team whose names are formulas come out as texts."""
    running.open("=1+1", "L2", "@SUM(1)", product="+cmd", team="-2", days_past_due=10)
    someone = {staff_no: browse(staff_no) for staff_no in ASKERS}
    found, names = places(running), set()
    assert len(found) > 60
    assert "'=1+1" in running.get("/cases.csv", "B1").text
    for path in found:
        headers = []
        for lang in ("zh", "en"):
            before = len(exports(running))
            staff_no, answer = taken(running, someone, path, lang)
            kind = path.rpartition(".")[2]
            headers.append(checked(answer.content, kind, staff_no))
            told = exports(running)
            assert len(told) == before + 1, path
            stream, body = told[-1]
            assert (stream, body["data"]["format"]) == (f"exports:{staff_no}", kind)
            assert body["data"]["digest"] == hashlib.sha256(answer.content).hexdigest(), path
            names.add(unquote(answer.headers["content-disposition"].rpartition("''")[2]))
        assert all(CHINESE.search(cell) for cell in headers[0]), (path, headers[0])
        assert not any(CHINESE.search(cell) for cell in headers[1]), (path, headers[1])
    assert all(re.fullmatch(r".+-\d{4}-\d{2}-\d{2}\.(csv|xlsx)", name) for name in names), names
