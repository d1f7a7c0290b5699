"""Files that come in a multipart form: the form read, and the one file of a route that takes one."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec
from litestar import Request
from litestar.datastructures import UploadFile
from litestar.exceptions import ClientException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from msgspec import UNSET

from api.faults import MOST, faults_in
from casework.errors import CallerError

TRUTH: Final = ("false", "true")
ATOMIC: Final[Mapping[str, Sequence[str]]] = {"atomic": TRUTH}
"""Another field of the form: whether one row set aside means that nothing of the file goes in."""
DRY_RUN: Final[Mapping[str, Sequence[str]]] = {"dry_run": TRUTH}
"""And whether it is only said what would become of its rows."""
FORM_TOKEN: Final = "form_token"  # noqa: S105  # the name of a field
_NAME_LIMIT: Final = 100  # characters of a file's name that are kept


class OwnBody(Operation):
    """The description of a route that reads its body itself, which the framework cannot declare."""

    def __init__(self, **described: Any) -> None:
        """As the framework describes it, and what the body may be."""
        super().__init__(**{**described, "request_body": RequestBody(required=True, content=self.bodies())})

    def bodies(self) -> dict[str, OpenAPIMediaType]:
        """By media type."""
        raise NotImplementedError


class OneFile(OwnBody):
    """The body is a file in a multipart form.

    `choices`: other fields of it, each with what it may hold; none: any text, of `instants` a time with its offset.
    """

    choices: Mapping[str, Sequence[str]] = {}
    instants: Collection[str] = ()

    def bodies(self) -> dict[str, OpenAPIMediaType]:
        """The form."""
        fields = {"file": Schema(type=OpenAPIType.STRING, content_media_type="application/octet-stream")}
        fields |= {
            name: Schema(
                type=OpenAPIType.STRING,
                enum=list(some) or None,
                format=OpenAPIFormat.DATE_TIME if name in self.instants else None,
            )
            for name, some in self.choices.items()
        }
        form = Schema(type=OpenAPIType.OBJECT, properties={**fields}, required=["file"], additional_properties=False)
        return {"multipart/form-data": OpenAPIMediaType(schema=form)}


async def form_of(request: Request[Any, Any, Any]) -> tuple[Any, list[UploadFile]]:
    """The form and its files. CallerErrors `unsupported_media_type`, `malformed_request`."""
    if request.content_type[0] != "multipart/form-data":
        raise CallerError(
            "unsupported_media_type", "正文须为 multipart/form-data", "the body must be multipart/form-data"
        )
    try:
        form = await request.form()
    except (ClientException, UnicodeDecodeError, LookupError) as error:  # of a charset that a part names
        if isinstance(error, RequestEntityTooLarge):
            raise
        raise CallerError(
            "malformed_request",
            "multipart 正文缺少分隔符、不完整，或名称、字段不是 UTF-8",
            "the multipart body has no boundary, is cut, or its names and fields are not UTF-8",
        ) from None
    return form, [part for _, part in form.multi_items() if isinstance(part, UploadFile)]


async def one_file(request: Request[Any, Any, Any]) -> tuple[Any, str, bytes]:
    """The form, and the name and content of its one file, which has a name; CallerErrors of `form_of`."""
    form, files = await form_of(request)
    if len(files) != 1 or not files[0].filename:
        code, zh, en = (
            ("repeated", "只能上传一个文件", "one file alone") if len(files) > 1
            else ("missing", "须上传一个文件，并带有文件名", "a file, sent with its name")
        )  # fmt: skip
        raise CallerError(
            "malformed_request", "须上传一个文件", "send one file",
            faults=[{"field": "file", "code": code, "en": en, "zh": zh}],
        )  # fmt: skip
    return form, files[0].filename[:_NAME_LIMIT], await files[0].read()


def said_in(form: Any, choices: Mapping[str, Sequence[str]], files: str = "file") -> dict[str, str]:
    """What a form says beside its `files`; CallerError `invalid_request` with every field that is not as `choices` say.

    One that is unknown or given twice is at fault too: who wrote `dryrun` would have the file taken in. An empty one
    says nothing, and neither does what proves a page's form.
    """
    texts = [(name, value) for name, value in form.multi_items() if isinstance(value, str) and name != FORM_TOKEN]
    said = {name: value for name, value in texts if value}
    counted = Counter(name for name, _ in texts)
    twice = [
        {"field": name[:128], "code": "repeated", "en": "must be given once", "zh": "只能填写一次"}
        for name, number in counted.items() if number > 1
    ]  # fmt: skip
    if faults := [*faults_in(said, _form((files, ()), *choices.items())), *twice]:
        raise CallerError("invalid_request", faults=faults[:MOST])
    return said


@lru_cache(64)
def _form(*choices: tuple[str, Sequence[str]]) -> type[msgspec.Struct]:
    """The fields of a form as a struct, so that they are read, and told of, as a body's are."""
    kinds: list[tuple[str, Any, Any]] = [(name, Literal[some] if some else str, UNSET) for name, some in choices]
    return msgspec.defstruct("Form", kinds, forbid_unknown_fields=True)
