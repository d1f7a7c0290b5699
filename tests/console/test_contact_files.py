"""A contact file is sent from a page and taken in behind it; what was set aside is shown and can be had."""

import re
import time
from collections.abc import Callable

from tests.api.conftest import Running
from tests.api.test_contact_files import BAD, GOOD, HEADER
from tests.api.test_contacts import begins, case, logged
from tests.console.conftest import Browsing
from tests.console.test_files import rows_of

__all__ = ["begins", "case"]  # fixtures


def test_a_contact_file_is_sent_and_its_page_is_found_again_with_what_was_set_aside(
    browse: Callable[..., Browsing], running: Running, case: int
) -> None:
    someone = browse("B1")
    assert "催收记录文件" in someone.get("/console").text
    someone.get("/console/contact-files")
    token = re.search(r'name="form_token" value="([^"]+)"', someone.page.text)
    assert token is not None
    content = f"{HEADER}\n{GOOD}\n{BAD}\n".encode()
    place = "/console/contact-files"
    text = ""
    for dry_run in ("true", "false"):
        answer = running.client.post(
            f"{place}/upload", files={"file": ("calls.csv", content)},
            data={"form_token": token[1], "source": "dialler", "dry_run": dry_run}, follow_redirects=False,
            headers={"Cookie": "; ".join(f"{name}={value}" for name, value in someone.cookies.items())},
        )  # fmt: skip
        assert (answer.status_code, answer.headers["location"]) == (303, place), answer.text
        for _ in range(200):
            if "data-refresh" not in someone.get(place).text:
                break
            time.sleep(0.02)
        text = someone.text()
        assert ("仅查看" in text.split("calls.csv")[1]) == (dry_run == "true"), "what was only tried says so"
        assert len(logged(running)) == (dry_run == "false")
    for one in ("calls.csv", "started_at", "不是带时区的时间", "搁置行"):
        assert one in text, one
    assert someone.get(f"{place}/set-aside.csv").content.startswith("\ufeff".encode())
    assert f'action="{place}/set-aside-why.xlsx"' in someone.get(place).text
    _, _, header, row = rows_of(someone.get(f"{place}/set-aside-why.xlsx?purpose=work").content)
    assert (header[:2], row[:2]) == (["行", "列"], [3, "started_at"])
    assert browse("R1").get(place).status_code == 403
