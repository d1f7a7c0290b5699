"""Where numbers and addresses may come from, on which ground (`statecharts/rules/sources.toml`). Pure but for it."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from casework.codes import texts_of
from casework.errors import CallerError
from casework.rules.statechart.shape import LABELS, body_of, checked, each, name, some, table, text, whole
from casework.rules.statechart.wording import WordTable

_FILE_NAME: Final = "rules/sources.toml"


class Source(msgspec.Struct, frozen=True):
    """A lawful source, and the grounds on which what it gives may be used."""

    code: str
    zh: str
    en: str
    bases: tuple[str, ...]


class LegalBasis(msgspec.Struct, frozen=True):
    """A ground on which personal data may be used; `law` is where it stands."""

    code: str
    zh: str
    en: str
    law: str


class Unlawful(msgspec.Struct, frozen=True):
    """A source of which nothing may be used, and why; the law that says so."""

    code: str
    zh: str
    en: str
    law_zh: str
    law_en: str


class Sources(msgspec.Struct, frozen=True):
    """The file, checked."""

    version: int
    lawful: Mapping[str, Source]
    bases: Mapping[str, LegalBasis]
    unlawful: Mapping[str, Unlawful]
    text: bytes
    digest: str

    @property
    def title(self) -> str:
        """`sources@version`."""
        return f"sources@{self.version}"

    @property
    def tables(self) -> dict[str, WordTable]:
        """What codes of sources and of grounds mean, by the names by which charts and structs ask for them."""
        named: dict[str, Source | Unlawful] = {**self.unlawful, **self.lawful}
        known = {code: {"zh": one.zh, "en": one.en} for code, one in named.items()}
        grounds = {code: {"zh": one.zh, "en": one.en} for code, one in self.bases.items()}
        return {"sources": WordTable(known, tuple(self.lawful)), "bases": WordTable(grounds, tuple(grounds))}

    def fault(self, source: str, basis: str) -> CallerError | None:
        """Why what this source gives may not be used on that ground; none if it may.

        `unlawful_source`, `unknown_source`, `unknown_legal_basis`, `basis_not_of_source`.
        """
        if (barred := self.unlawful.get(source)) is not None:
            en = f"unlawful source: {barred.en} ({barred.law_en})"
            return CallerError("unlawful_source", f"不得使用该来源：{barred.zh}（{barred.law_zh}）", en, source=source)
        known = self.lawful.get(source)
        if known is None:
            return _told_of("unknown_source", self.lawful)
        if basis not in self.bases:
            return _told_of("unknown_legal_basis", self.bases)
        if basis not in known.bases:
            return _told_of("basis_not_of_source", {code: self.bases[code] for code in known.bases})
        return None


def _told_of(code: str, known: Mapping[str, Source | LegalBasis]) -> CallerError:
    """With what is allowed."""
    (zh, en), codes = texts_of(code), sorted(known)
    listed = "、".join(f"{known[one].zh}（{one}）" for one in codes)
    return CallerError(code, f"{zh}，可用：{listed}", f"{en}; known: {', '.join(codes)}", known=codes)


_BECAUSE = table(dict(LABELS))
_FILE = table(
    {
        "name": name, "version": whole,
        "bases": each(table({**LABELS, "law": text})),
        "sources": each(table({**LABELS, "bases": some(name, empty="names no ground")})),
        "unlawful": each(table({**LABELS, "because": _BECAUSE, "law": _BECAUSE})),
    }
)  # fmt: skip


def parse_sources(body: bytes) -> Sources:
    """Read and check whole; `RulesBroken` with every fault."""
    document = checked(_FILE_NAME, body, _FILE, _meaning)
    lawful = {
        code: Source(code, row["zh"], row["en"], tuple(row["bases"])) for code, row in document["sources"].items()
    }
    bases = {code: LegalBasis(code, row["zh"], row["en"], row["law"]) for code, row in document["bases"].items()}
    barred = {
        code: Unlawful(
            code, f"{row['zh']}：{row['because']['zh']}", f"{row['en']}: {row['because']['en']}",
            row["law"]["zh"], row["law"]["en"],
        )
        for code, row in document["unlawful"].items()
    }  # fmt: skip
    return Sources(document["version"], lawful, bases, barred, body, hashlib.sha256(body).hexdigest())


def load_sources(folder: Path) -> Sources:
    """`parse_sources` of `statecharts/rules/sources.toml`."""
    return parse_sources(body_of(folder, _FILE_NAME))


def _meaning(document: Mapping[str, Any]) -> Iterator[str]:
    used = set()
    for code, row in document["sources"].items():
        at = f"sources.{code}"
        yield from (f"{at}.bases: there is no ground {one}" for one in row["bases"] if one not in document["bases"])
        if len(set(row["bases"])) < len(row["bases"]):
            yield f"{at}.bases: names a ground twice"
        if code in document["unlawful"]:
            yield f"{at}: is unlawful too"
        used |= set(row["bases"])
    yield from (f"bases.{code}: no source has it" for code in document["bases"] if code not in used)
