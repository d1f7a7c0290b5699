"""The cookie of a log-in: HttpOnly, SameSite=Strict, behind TLS for TLS and this host alone; and what forms must show.

It holds an access token of the session that the log-in opened (`people.identity.sessions`), of a shape that no bearer
has. The token dies when nobody has looked at a page for the policy's `login.access_minutes`.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote, urlsplit

from litestar import Request
from litestar.datastructures import Cookie

from api.client_address import Network, is_encrypted
from api.serving import Serving, serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.people.identity import sessions
from casework.people.identity.holding import Holder
from casework.storage.database import writing

LOG_IN: Final = "/console/log-in"
LANGUAGE: Final = "casework_lang"
_PLAIN, _FOR_TLS = "casework", "__Host-casework"
_LOOKING: Final = frozenset({"navigate", "same-origin", ""})
"""`Sec-Fetch-Mode` of what a person does; a script that asks for news (`cors`) keeps no log-in alive."""


def token_of(scope: Any, trusted: Sequence[Network]) -> str:
    """What the cookie of this request holds, or nothing; behind TLS only what was set behind TLS for this host."""
    return all_of(scope).get(_name(scope, trusted), "")


def all_of(scope: Any) -> dict[str, str]:
    """The cookies of a request; of two with the same name the first."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, _, text = part.strip().partition("=")
                found.setdefault(key, text)
    return found


def given(request: Request[Any, Any, Any], token: str) -> Cookie:
    """The cookie that a log-in sets; an empty token takes it away."""
    serving = serving_of(request)
    secure = _is_encrypted(request.scope, serving.settings.trusted_proxies)
    return Cookie(
        key=_FOR_TLS if secure else _PLAIN, value=token, max_age=None if token else 0, path="/", secure=secure,
        httponly=True, samesite="strict",
    )  # fmt: skip


def without_blanks(query: bytes) -> bytes:
    """A query without the parts that a form's empty fields leave in it: they ask for nothing."""
    return b"&".join(part for part in query.split(b"&") if part.partition(b"=")[2])


def log_in_place(scope: Any) -> str:
    """Where a stranger is sent, who then comes back to what they wanted to look at."""
    query = scope["query_string"].decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "") if scope["method"] == "GET" else came_from(scope)
    return LOG_IN if wanted in ("/", "/console") else f"{LOG_IN}?next={quote(wanted, safe='')}"


def came_from(scope: Any) -> str:
    """The page of ours that a form was sent from, as the browser says; the first where it says none."""
    parts = urlsplit(_header(scope, b"referer"))
    if parts.netloc != _header(scope, b"host"):
        return "/console"
    return place_here(parts.path + (f"?{parts.query}" if parts.query else ""))


def place_here(text: str) -> str:
    """A place of the console, whatever was asked for."""
    parts = urlsplit(text)
    is_ours = not parts.scheme and not parts.netloc and text.startswith("/console/") and "\\" not in text
    return text if is_ours and text.isprintable() else "/console"


async def prolong(serving: Serving, scope: Any, holder: Holder) -> None:
    """Let the log-in go on while somebody looks at pages; written at most once in half of the time that it has."""
    if holder.token_hash is None or _header(scope, b"sec-fetch-mode") not in _LOOKING:
        return
    moment = now()
    policy = serving.branch.rulebook.policies.at(serving.branch.today(moment))
    if holder.expires_at - moment > timedelta(minutes=policy.figure("login.access_minutes")) / 2:
        return
    token_hash = holder.token_hash

    def work() -> None:
        with writing(serving.engine) as conn:
            sessions.prolong(conn, serving.branch.trail(moment), policy, token_hash)

    await asyncio.to_thread(work)
    serving.tokens.forget(token_hash)


def form_token(request: Request[Any, Any, Any]) -> str:
    """What the forms of a log-in carry: of the cookie, which no other site can read. Nothing for strangers."""
    token = token_of(request.scope, serving_of(request).settings.trusted_proxies)
    return hashlib.sha256(b"casework form\n" + token.encode()).hexdigest()[:32] if token else ""


def check_form(request: Request[Any, Any, Any], shown: str) -> None:
    """CallerError `form_not_ours` unless this form was made by a page of this log-in, on this site."""
    scope = request.scope
    site, origin = _header(scope, b"sec-fetch-site"), _header(scope, b"origin")
    foreign = site not in ("", "same-origin", "none")
    foreign |= bool(origin) and urlsplit(origin).netloc != _header(scope, b"host")
    if foreign or not hmac.compare_digest(shown.encode(), form_token(request).encode()):
        raise CallerError("form_not_ours")


def _name(scope: Any, trusted: Sequence[Network]) -> str:
    return _FOR_TLS if _is_encrypted(scope, trusted) else _PLAIN


def _is_encrypted(scope: Any, trusted: Sequence[Network]) -> bool:
    client = scope.get("client")
    return is_encrypted(scope.get("scheme", "http"), client[0] if client else None, scope["headers"], trusted)


def _header(scope: Any, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")
