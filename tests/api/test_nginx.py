"""The proxy of `deploy/nginx.conf`, run as it stands there but for addresses, the certificate and two of its times."""

import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from litestar import Router

from api.app import _routes
from casework.clock import now
from casework.operation.startup import Started
from casework.people.identity.tables import log_in_failures
from casework.settings import Settings
from casework.storage.database import reading
from tests.api.server import ServerProcess, serving
from tests.api.strangers import BODY, HEADERS
from tests.api.test_crowded import asked
from tests.waiting import until

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
TIMES = {"client_header_timeout 10s": "client_header_timeout 1s", "client_body_timeout   30s": "client_body_timeout 5s"}
_AROUND = """
daemon off;
master_process off;
pid {place}/nginx.pid;
error_log {place}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
{example}
}}
"""

pytestmark = [
    pytest.mark.only("sqlite"),  # a proxy knows no database
    pytest.mark.skipif(NGINX is None, reason="no nginx on this machine"),
]


@dataclass(frozen=True)
class Proxied:
    """The service, and the proxy in front of it."""

    server: ServerProcess
    port: int
    place: Path
    started: Started
    tokens: dict[str, str]

    def connection(self, source: str = "127.0.0.1") -> HTTPSConnection:
        """A client's, from one of this machine's addresses."""
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE  # the test made the certificate itself
        return HTTPSConnection("127.0.0.1", self.port, timeout=20, source_address=(source, 0), context=trusting)

    def ask(self, method: str, path: str, body: bytes | None = None, source: str = "127.0.0.1", **headers: str) -> int:
        """The status of an answer."""
        with closing(self.connection(source)) as asking:
            asking.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer: HTTPResponse = asking.getresponse()
            answer.read()
            return answer.status

    def half(self, sends: bytes) -> ssl.SSLSocket:
        """A connection in which somebody stopped in the middle."""
        client = self.connection()
        client.connect()
        client.sock.sendall(sends)
        found: Any = client.sock
        return found  # type: ignore[no-any-return]

    def reached(self) -> int:
        """How many connections the service has."""
        with asked(self.server, "/metrics", self.tokens["T1"]) as answer:
            found = re.search(r"^casework_connections (\S+)$", answer.read().decode(), re.MULTILINE)
        assert found is not None
        return int(float(found[1]))


def certificate(place: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "branch.example")])
    day = timedelta(days=1)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now() - day).not_valid_after(now() + day).sign(key, hashes.SHA256())
    )  # fmt: skip
    (place / "branch.example.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (place / "branch.example.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip


def configuration(place: Path, service: str, port: int) -> str:
    """The file for these addresses."""
    example = CONFIGURATION.read_text(encoding="utf-8")
    changes = {"127.0.0.1:8000": service, "listen 443 ssl": f"listen 127.0.0.1:{port} ssl", "/etc/nginx/": f"{place}/",
               "/var/log/nginx/": f"{place}/"}  # fmt: skip
    for here, there in (changes | TIMES).items():
        assert here in example
        example = example.replace(here, there)
    return _AROUND.format(place=place, example=example)


def larger_bodies() -> list[tuple[str, int]]:
    """Routes that take more than any other body, as a client asks for them, and how much."""
    routers = [one for one in _routes(Settings().feed_upload_mib) if isinstance(one, Router)]
    return [
        (re.sub(r"\{\w+:int\}", "17", route.path), router.request_max_body_size)
        for router in routers if isinstance(router.request_max_body_size, int) for route in router.routes
    ]  # fmt: skip


def test_the_proxy_lets_through_whatever_the_service_takes() -> None:
    """A file or photo that the service would take is not refused in front of it."""
    locations = re.findall(r"location ~ (\S+) \{\s+client_max_body_size (\d+)m;", CONFIGURATION.read_text())
    found = larger_bodies()
    assert {"/feeds", "/visits/17/photos"} <= {path for path, _ in found}
    for path, most in found:
        assert any(re.search(pattern, path) and int(mib) << 20 >= most for pattern, mib in locations), path


@pytest.fixture
def proxied(branch: tuple[Started, dict[str, str]], settings: Settings, tmp_path: Path) -> Iterator[Proxied]:
    place = tmp_path / "nginx"
    place.mkdir()
    certificate(place)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    more: dict[str, Any] = {"CASEWORK_TRUSTED_PROXIES": "127.0.0.1"}
    with serving(settings, tmp_path, **more) as server:
        (place / "nginx.conf").write_text(configuration(place, server.url.removeprefix("http://"), port))
        command = [str(NGINX), "-p", str(place), "-c", str(place / "nginx.conf"), "-e", str(place / "error.log")]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as nginx:
            try:
                made = Proxied(server, port, place, *branch)
                deadline = time.monotonic() + 20
                while not _answers(made):
                    assert time.monotonic() < deadline, (place / "error.log").read_text()
                    assert nginx.poll() is None, (place / "error.log").read_text()
                    time.sleep(0.05)
                yield made
            finally:
                nginx.terminate()


def _answers(proxied: Proxied) -> bool:
    try:
        return proxied.ask("GET", "/health/live") == 200
    except OSError:
        return False


def test_the_proxy_of_the_handbook_does_what_the_handbook_says(proxied: Proxied) -> None:
    _passes_on_what_is_whole(proxied)
    _says_who_the_client_is(proxied)
    _takes_whole_bodies_of_their_size_alone(proxied)
    _keeps_half_of_anything_to_itself(proxied)
    _has_a_bound_for_each_address(proxied)
    _keeps_no_address_whole_and_no_query(proxied)


def _keeps_no_address_whole_and_no_query(proxied: Proxied) -> None:
    proxied.ask("GET", "/nowhere?name=%E5%BC%A0%E4%B8%89", source="127.77.0.9")
    lines = (proxied.place / "casework.log").read_text().splitlines()
    last = json.loads(lines[-1])
    assert (last["client"], last["method"], last["path"], last["status"]) == ("127.77.0.0", "GET", "/nowhere", 401)
    assert last["request_id"]
    assert "127.77.0.9" not in "".join(lines)
    assert "name=" not in "".join(lines)


def _passes_on_what_is_whole(proxied: Proxied) -> None:
    token = proxied.tokens["T1"]
    for _ in range(10):
        assert proxied.ask("GET", "/cases", authorization=f"Bearer {token}") == 200
    assert proxied.ask("GET", "/cases") == 401
    assert proxied.reached() < 10, "it keeps its connections"


def _says_who_the_client_is(proxied: Proxied) -> None:
    """Whatever he writes himself."""
    wrong = b'{"staff_no": "T1", "password": "wrong password 1"}'
    given = {"content_type": "application/json", "X_Forwarded_For": "6.6.6.6"}
    assert proxied.ask("POST", "/session", wrong, source="127.0.0.2", **given) == 401
    with reading(proxied.started.engine) as conn:
        counted = set(conn.execute(sa.select(log_in_failures.c.subject)).scalars())
    known = proxied.started.branch.vault.fingerprint(b"client address127.0.0.2").hex()
    assert counted == {"staff:T1", f"address:{known}"}


def _takes_whole_bodies_of_their_size_alone(proxied: Proxied) -> None:
    large, token = b"a" * (2 << 20), f"Bearer {proxied.tokens['B1']}"
    assert proxied.ask("POST", "/cases", large, authorization=token) == 413
    kind = "multipart/form-data; boundary=b"
    assert proxied.ask("POST", "/feeds", large, authorization=token, content_type=kind) == 400  # the service's own


def _keeps_half_of_anything_to_itself(proxied: Proxied) -> None:
    time.sleep(0.1)
    before = proxied.reached()
    with ExitStack() as stack:
        clients = [stack.enter_context(proxied.half(sends)) for sends in [HEADERS, BODY] * 20]
        assert proxied.reached() <= before
        began = time.monotonic()
        for client in clients:
            while client.recv(10_000):  # 408, and then the end
                pass
        assert time.monotonic() - began < 15


def _has_a_bound_for_each_address(proxied: Proxied) -> None:
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(proxied.half(b"POST /session HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1"))
        until(lambda: proxied.ask("GET", "/health/live") == 503)  # the proxy has to have read all of them first
        assert proxied.ask("GET", "/health/live", source="127.0.0.2") == 200
