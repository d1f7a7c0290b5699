"""The API's description: for people as a page, one HTML file, no script, nothing fetched from elsewhere; for programs.

Each form is made once in a process. Anybody may ask for it, and to make it anew takes the service up to seconds.
"""

from collections.abc import Iterator
from html import escape
from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin, YamlRenderPlugin

_METHODS = ("get", "post", "put", "patch", "delete")
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2733}
h2{margin-top:2.5rem;border-bottom:1px solid #d7dee6;text-transform:capitalize}
code,pre{font:13px/1.45 ui-monospace,monospace}
details{border:1px solid #d7dee6;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem} summary{cursor:pointer}
pre{background:#f4f6f9;padding:.7rem;overflow:auto;border-radius:4px} table{border-collapse:collapse}
td,th{text-align:left;vertical-align:top;padding:.15rem .8rem .15rem 0}
b.m{display:inline-block;width:3.6rem;color:#0b5cad}
"""


class KeptPage(OpenAPIRenderPlugin):
    """What another plugin renders, made when it is first asked for and then kept."""

    def __init__(self, of: OpenAPIRenderPlugin) -> None:
        super().__init__(path=of.paths, media_type=of.media_type)
        self._of = of
        self._kept: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The same to everybody."""
        if self._kept is None:
            self._kept = self._of.render(request, openapi_schema)
        return self._kept


class PlainYamlRenderPlugin(YamlRenderPlugin):
    """Renders it as YAML that any reader takes; the framework's has Python's own tags and takes three times as long."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Read from its JSON, so that both say the same."""
        return msgspec.yaml.encode(msgspec.json.decode(self.render_json(request, openapi_schema)))


class PageRenderPlugin(OpenAPIRenderPlugin):
    """Renders the OpenAPI document as a plain page."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page; every text of the document is escaped."""
        info = openapi_schema["info"]
        parts = [
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
            f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>",
            f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>{_paragraphs(info.get('description', ''))}",
            f"<p>OpenAPI: <a href='{self.get_openapi_json_route(request)}'>openapi.json</a></p>",
        ]
        for tag, operations in sorted(_by_tag(openapi_schema).items()):
            parts.append(f"<h2>{escape(tag)}</h2>")
            parts += [_operation(method, path, spec) for path, method, spec in operations]
        return "".join(parts).encode()


def _by_tag(document: dict[str, Any]) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    found: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, item in sorted(document.get("paths", {}).items()):
        for method in _METHODS:
            if method in item:
                tag = (item[method].get("tags") or ["other"])[0]
                found.setdefault(tag, []).append((path, method, item[method]))
    return found


def _operation(method: str, path: str, spec: dict[str, Any]) -> str:
    description = spec.get("description", "")
    first = description.strip().split("\n")[0] or spec.get("summary", "")
    rows = "".join(
        f"<tr><td><code>{escape(parameter['name'])}</code><td>{escape(parameter.get('in', ''))}"
        f"<td>{'required' if parameter.get('required') else ''}<td>{escape(parameter.get('description', ''))}"
        for parameter in spec.get("parameters", [])
    )
    body = "".join(
        f"<p>Body, for example</p>{example}" for example in _examples(spec.get("requestBody", {}).get("content", {}))
    )
    answers = "".join(
        f"<tr><th>{escape(status)}<td>{escape(answer.get('description', ''))}"
        for status, answer in sorted(spec.get("responses", {}).items())
    )
    return (
        f"<details><summary><b class=m>{method.upper()}</b> <code>{escape(path)}</code> – {escape(first)}</summary>"
        f"{_paragraphs(description)}<table>{rows}</table>{body}<table>{answers}</table></details>"
    )


def _examples(content: dict[str, Any]) -> Iterator[str]:
    for media in content.values():
        for example in media.get("examples", {}).values():
            value = example.get("value")
            text = value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value)).decode()
            yield f"<pre>{escape(text)}</pre>"


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part.strip())}</p>" for part in text.split("\n\n") if part.strip())
