"""Forms that bring files, cut in the middle or written by strangers: one clear problem, and nothing is taken."""

import pytest

from tests.api.conftest import Running, findings
from tests.api.test_events import problem

UPLOADS = {"/contact-files": "B1", "/repayments": "B1", "/feeds": "B1", "/visits/1/photos": "R1"}
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\n'
FIELD = b'--b\r\nContent-Disposition: form-data; name="source"'
END = b"\r\n--b--\r\n"
FORMS = {
    "nothing": b"",
    "cut in the headers": PART[:60],
    "cut before the content": PART[:-2],
    "cut in the content": PART + b"a,b\r\n1,2",
    "cut in the last boundary": PART + b"a,b\r\n1,2\r\n--b-",
    "another boundary": PART.replace(b"--b\r\n", b"--c\r\n") + b"a,b" + END,
    "a name in GBK": PART.replace(b"a.csv", "还款.csv".encode("gbk")) + b"a,b" + END,
    "a field in GBK": FIELD + b"\r\n\r\n" + "电话".encode("gbk") + END,
    "a charset that is none": FIELD + b"\r\nContent-Type: text/plain; charset=klingon\r\n\r\nx" + END,
    "a file without a name": PART.replace(b'; filename="a.csv"', b"") + b"a,b" + END,
}


@pytest.mark.only("sqlite")  # what the database is makes no difference to a form
@pytest.mark.parametrize("path", UPLOADS)
def test_half_a_form_is_told_and_nothing_of_it_is_taken(running: Running, path: str) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    for form in FORMS.values():
        known = form if path != "/feeds" else form.replace(b'"file"', b'"files"').replace(b'"source"', b'"correction"')
        problem(running.post(path, UPLOADS[path], content=known, headers=headers), 400, "malformed_request")
    assert running.get("/contact-files", "B1").json()["status"] == "none"
    assert running.get("/feeds", "B1").json()["items"] == []
    assert findings(running.started) == []
