"""Where files lie beside the database: a folder, or a bucket of anything that speaks S3; behind one small interface.

A key is written once and never changed. What is put there is sealed by whoever puts it: the store is trusted with
nothing but to keep bytes.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from casework.errors import CallerError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_KEY: Final = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")
_FOLDER_MODE: Final = 0o700
_TIMEOUT: Final = timedelta(seconds=20)
_RETRIES: Final = 2


class FileGone(CallerError):
    """`file_gone`: a file that the database knows is not in the store, or is another."""

    def __init__(self) -> None:
        super().__init__(
            "file_gone",
            "文件库中没有该文件，或内容已被改动；请管理员从备份恢复文件库",
            "the file is not in the file store, or was altered there; the operator restores the store from a backup",
        )


class FileStore:
    """Files by key. CallerErrors: `file_store_failed` where the store is full, slow or gone; `FileGone`."""

    def __init__(self, store: "ObjectStore", where: str) -> None:
        """`where`: what people are told, without any secret."""
        self._store, self.where = store, where

    @classmethod
    def open(cls, place: str, secrets: dict[str, str] | None = None) -> "FileStore":
        """A folder, made where it is not there; or `s3://bucket/prefix`, with what the store needs to be reached.

        `secrets`: `endpoint`, `region`, `access_key_id`, `secret_access_key`. CallerError `setting_malformed`.
        """
        from obstore.store import LocalStore, S3Store  # noqa: PLC0415  # most commands open no file

        parts = urlsplit(place)
        if parts.scheme != "s3":
            folder = Path(place).absolute()
            with _told(str(folder)):
                folder.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
                return cls(LocalStore(folder), str(folder))
        if not parts.netloc or parts.query or parts.username:
            raise CallerError(
                "setting_malformed", "CASEWORK_FILES 须为文件夹，或 s3://桶/前缀",
                "CASEWORK_FILES must be a folder, or s3://bucket/prefix", setting="CASEWORK_FILES",
            )  # fmt: skip
        options: dict[str, Any] = dict(secrets or {})
        plain = str(options.get("endpoint", "")).startswith("http://")
        store = S3Store(
            parts.netloc, prefix=parts.path.strip("/") or None, virtual_hosted_style_request=False,
            client_options={"timeout": _TIMEOUT, "connect_timeout": _TIMEOUT, "allow_http": plain},
            retry_config={"max_retries": _RETRIES, "retry_timeout": _TIMEOUT}, **options,
        )  # fmt: skip
        return cls(store, f"s3://{parts.netloc}{parts.path}")

    def put(self, key: str, content: bytes) -> None:
        """Keep it; `file_store_failed` where it could not be kept whole, or the key is taken."""
        import obstore  # noqa: PLC0415  # as above

        with _told(self.where):
            obstore.put(self._store, _fit(key), content, mode="create", use_multipart=False)

    def get(self, key: str) -> bytes:
        """What was put there; FileGone."""
        import obstore  # noqa: PLC0415  # as above

        try:
            with _told(self.where):
                return bytes(obstore.get(self._store, _fit(key)).bytes())
        except _NotThere:
            raise FileGone from None

    def drop(self, key: str) -> None:
        """Take it away; nothing where it is not there."""
        import obstore  # noqa: PLC0415  # as above

        try:
            with _told(self.where):
                obstore.delete(self._store, _fit(key))
        except _NotThere:
            return


class _NotThere(Exception):
    pass


def _fit(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError("a key is of small letters, digits, dots, dashes and slashes")
    return key


@contextmanager
def _told(where: str) -> Iterator[None]:
    """What the store says, as an error that names the place and the cause, never a key or a secret."""
    from obstore.exceptions import BaseError, NotFoundError  # noqa: PLC0415  # as above

    try:
        yield
    except (NotFoundError, FileNotFoundError):
        raise _NotThere from None
    except (BaseError, OSError) as error:
        cause = str(error).strip().partition("\n")[0][:200]
        raise CallerError(
            "file_store_failed", f"文件库{where}无法使用，未保存任何内容：{cause}",
            f"the file store {where} cannot be used, nothing was kept: {cause}", cause=cause,
        ) from error  # fmt: skip
