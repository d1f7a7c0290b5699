"""The API's description for programs; for people it is a page of the console (`api.console.described`).

Each form is made once in a process. Anybody may ask for it, and to make it anew takes the service up to seconds.
"""

from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin, YamlRenderPlugin


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
