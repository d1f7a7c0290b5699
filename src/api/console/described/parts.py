"""What the API's own description says of an operation, as a page shows it: rows of fields, answers, problems."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import tomli

METHODS: Final = ("get", "post", "put", "patch", "delete")
_DEEPEST: Final = 4
_EVERYWHERE: Final = frozenset({"X-Request-Id", "X-Content-Type-Options", "Cache-Control"})
"""Headers that every answer has."""
_LOW: Final = (("minLength", "≥ {} characters", "至少{}个字符"), ("minItems", "≥ {} of them", "至少{}项"),
               ("minimum", "≥ {}", "≥ {}"), ("exclusiveMinimum", "> {}", "> {}"))  # fmt: skip
_HIGH: Final = (("maxLength", "≤ {} characters", "至多{}个字符"), ("maxItems", "≤ {} of them", "至多{}项"),
                ("maximum", "≤ {}", "≤ {}"), ("exclusiveMaximum", "< {}", "< {}"))  # fmt: skip
_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "string": ("文本", "text"), "integer": ("整数", "integer"), "number": ("数", "number"),
    "boolean": ("true 或 false", "true or false"), "object": ("对象", "object"), "null": ("null", "null"),
    "date": ("日期", "date"), "date-time": ("时刻", "instant"), "file": ("文件", "file"), "any": ("任意", "anything"),
}  # fmt: skip


class Both(dict[str, str]):
    """A text in both languages."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(zh=zh, en=en)


@dataclass(frozen=True)
class Row:
    """A parameter or a field: `name` as it is sent, a field within another by its path (`cases[].id`)."""

    name: str
    place: str
    kind: Both
    bounds: Sequence[Both]
    allowed: Sequence[str]
    is_needed: bool
    default: str
    zh: str
    en: str
    example: str = ""


@dataclass(frozen=True)
class Body:
    """What is sent or answered, in one media type."""

    media: str
    about: str
    rows: Sequence[Row]
    examples: Sequence[str]


@dataclass(frozen=True)
class Answer:
    """What a status means; of problems, their codes."""

    status: str
    about: str
    headers: Sequence[Row]
    bodies: Sequence[Body]
    codes: Sequence[str]


@dataclass(frozen=True)
class Operation:
    """One operation with everything that is said about it."""

    id: str
    method: str
    path: str
    group: str
    title: Both
    about: Mapping[str, Sequence[str]]
    is_open: bool
    parameters: Sequence[Row]
    bodies: Sequence[Body]
    answers: Sequence[Answer]


@cache
def titles() -> Mapping[str, Any]:
    """The table of titles."""
    return tomli.loads(Path(__file__).with_name("titles.toml").read_text(encoding="utf-8"))


def operations_of(document: Mapping[str, Any], nouns: Mapping[str, str]) -> list[Operation]:
    """All, by group and place. `nouns`: what a plural is called in Chinese."""
    components = document.get("components", {})
    schemas = _Schemas(components.get("schemas", {}), components.get("headers", {}))
    found = [
        _operation(schemas, path, method, item[method], nouns)
        for path, item in document["paths"].items() for method in METHODS if method in item
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.group, one.path, METHODS.index(one.method.lower())))


@cache
def _abouts() -> Mapping[str, Any]:
    return tomli.loads(Path(__file__).with_name("abouts.toml").read_text(encoding="utf-8"))


def about_of(method: str, path: str, nouns: Mapping[str, str]) -> list[str]:
    """What an operation does, in Chinese, by paragraphs; nothing where the table has nothing."""
    route, plural = f"{method.upper()} {path}", re.split(r"[/.]", path)[1]
    general = _abouts()["nouns"].get(route.replace(f"/{plural}", "/{plural}", 1), "") if plural in nouns else ""
    told: str = _abouts()["operations"].get(route, general)
    return told.splitlines()


def title_of(method: str, path: str, summary: str, nouns: Mapping[str, str]) -> Both:
    """What an operation is called; in Chinese its summary where the table has none."""
    route = f"{method.upper()} {path}"
    own = titles()["operations"].get(route)
    if own is not None:
        return Both(own["zh"], own.get("en", summary))
    plural = re.split(r"[/.]", path)[1]
    general = titles()["nouns"].get(route.replace(f"/{plural}", "/{plural}", 1)) if plural in nouns else None
    for kind in (".xlsx", ".csv"):  # the same in another form
        like = [path.removesuffix(kind) + other for other in (".csv", "")]
        known = next((one for other in like if (one := titles()["operations"].get(f"GET {other}"))), None)
        if general is None and path.endswith(kind) and known is not None:
            return Both(f"{known['zh'].removesuffix('（CSV）')}（{kind[1:].upper()}）", summary)
    return Both(general.format(noun=nouns[plural]) if general else summary, summary)


def _operation(schemas: "_Schemas", path: str, method: str, told: Mapping[str, Any], nouns: Any) -> Operation:
    summary = told.get("summary", "")
    return Operation(
        told["operationId"], method.upper(), path, (told.get("tags") or ["other"])[0],
        title_of(method, path, summary, nouns),
        {"zh": about_of(method, path, nouns), "en": paragraphs(told.get("description", ""))},
        told.get("security") == [{}],
        [schemas.row(one["name"], one["schema"], one["in"], needed=bool(one.get("required")),
                     about=one.get("description", "")) for one in told.get("parameters", [])],
        [schemas.body(media, content) for media, content in told.get("requestBody", {}).get("content", {}).items()],
        [_answer(schemas, status, one) for status, one in sorted(told["responses"].items())],
    )  # fmt: skip


def _answer(schemas: "_Schemas", status: str, told: Mapping[str, Any]) -> Answer:
    content = told.get("content", {})
    headers = [
        schemas.row(name, one.get("schema", {}), "header", needed=bool(one.get("required")),
                    about=one.get("description", ""))
        for name in told.get("headers", {}) if name not in _EVERYWHERE
        for one in [schemas.header(told["headers"][name])]
    ]  # fmt: skip
    if int(status) >= 400:
        codes = [name for one in content.values() for name in one.get("examples", {})]
        return Answer(status, "", headers, [], codes)
    bodies = [schemas.body(media, one) for media, one in content.items() if one.get("schema") != {"type": "null"}]
    return Answer(status, told.get("description", ""), headers, bodies, [])


def paragraphs(text: str) -> list[str]:
    """A text of the description, each paragraph in one line."""
    return [re.sub(r"\s+", " ", part).strip() for part in text.split("\n\n") if part.strip()]


class _Schemas:
    """The named schemas and headers of a document."""

    def __init__(self, named: Mapping[str, Any], headers: Mapping[str, Any]) -> None:
        self._named = named
        self._headers = headers

    def header(self, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """A header of an answer, itself or the one that is named."""
        found: Mapping[str, Any] = self._headers[told["$ref"].rpartition("/")[2]] if "$ref" in told else told
        return found

    def body(self, media: str, content: Mapping[str, Any]) -> Body:
        schema = content.get("schema", {})
        plain = self._plain(schema)
        examples = [one.get("value") for one in content.get("examples", {}).values()] or schema.get("examples", [])
        rows = list(self._fields(plain, "", 0, frozenset()))
        return Body(media, " ".join(paragraphs(plain.get("description", ""))), rows, [_text(one) for one in examples])

    def row(self, name: str, schema: Mapping[str, Any], place: str, *, needed: bool, about: str = "") -> Row:
        plain = self._plain(schema)
        if place != "body":  # what is no JSON is left out, never null
            plain.pop("nullable", None)
        said = titles().get("parameters", {}).get(name, "")
        about = about or plain.get("description", "")
        examples = schema.get("examples") or plain.get("examples") or []
        return Row(
            name, place, self._kind(plain), _bounds({**plain, **schema}), [str(one) for one in self._allowed(plain)],
            needed, _text(plain["default"]) if plain.get("default") is not None else "", said,
            " ".join(paragraphs(about)), str(examples[0]) if examples else "",
        )  # fmt: skip

    def _fields(self, schema: Mapping[str, Any], before: str, depth: int, seen: frozenset[int]) -> Iterator[Row]:
        if schema.get("type") == "array" and not before:
            before, schema = "[].", self._plain(schema.get("items", {}))
        if depth > _DEEPEST or id(schema) in seen:
            return
        needed = set(schema.get("required", ()))
        for name, one in schema.get("properties", {}).items():
            plain = self._plain(one)
            within = self._plain(plain.get("items", {})) if plain.get("type") == "array" else plain
            mark = "[]" if plain.get("type") == "array" else ""
            about = "" if within.get("properties") else one.get("description", "") or plain.get("description", "")
            yield self.row(f"{before}{name}", one, "body", needed=name in needed, about=about)
            yield from self._fields(within, f"{before}{name}{mark}.", depth + 1, seen | {id(schema)})

    def _plain(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Without references and without what says only that it may be null."""
        if "$ref" in schema:
            return self._plain(self._named[schema["$ref"].rpartition("/")[2]])
        parts = schema.get("allOf") or [
            one for one in (*schema.get("oneOf", ()), *schema.get("anyOf", ())) if one.get("type") != "null"
        ]
        if len(parts) != 1:
            return dict(schema)
        rest = {name: one for name, one in schema.items() if name not in ("allOf", "oneOf", "anyOf")}
        inner = self._plain(parts[0])
        nullable = {"nullable": True} if "allOf" not in schema or inner.get("nullable") else {}
        return {**inner, **rest, **nullable, **({"properties": inner["properties"]} if "properties" in inner else {})}

    def _kind(self, plain: Mapping[str, Any]) -> Both:
        several = [self._kind(self._plain(one)) for one in (*plain.get("oneOf", ()), *plain.get("anyOf", ()))]
        if several:
            made = Both(*(" / ".join(dict.fromkeys(one[lang] for one in several)) for lang in ("zh", "en")))
        elif plain.get("type") == "array":
            inner = self._kind(self._plain(plain.get("items", {})))
            made = Both(f"列表：{inner['zh']}", f"list of {inner['en']}")
        else:
            name = plain.get("type", "string" if "enum" in plain else "any")
            name = plain["format"] if plain.get("format") in _KINDS else name
            name = "file" if plain.get("contentMediaType") else name
            made = Both(*_KINDS.get(name if isinstance(name, str) else "any", (str(name), str(name))))
        return Both(f"{made['zh']}，可为 null", f"{made['en']} or null") if plain.get("nullable") else made

    def _allowed(self, plain: Mapping[str, Any]) -> list[Any]:
        within = self._plain(plain.get("items", {})) if plain.get("type") == "array" else plain
        found = within.get("enum") or ([within["const"]] if "const" in within else [])
        return [one for one in found if one is not None]


def _bounds(schema: Mapping[str, Any]) -> list[Both]:
    found = [Both(zh.format(schema[key]), en.format(schema[key])) for key, en, zh in (*_LOW, *_HIGH) if key in schema]
    if "pattern" in schema:
        found.append(Both(f"形如 {schema['pattern']}", f"matches {schema['pattern']}"))
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value)).decode()
