"""The structure that IEEE 1849 asks of an XES document, checked with the standard library (its schema, by hand)."""

import re
from datetime import datetime
from xml.etree import ElementTree as ET

NAMESPACE = "{http://www.xes-standard.org/}"
STANDARD = {"concept", "lifecycle", "org", "time"}
_NC_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*")
_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9._:-]*")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_ORDER = ("extension", "global", "classifier", "trace")  # attributes of the log itself: none (decision 0023)


def faults(root: ET.Element) -> list[str]:
    """What the schema, or the standard's text beside it, does not allow; empty for a valid document."""
    found = [] if root.tag == f"{NAMESPACE}log" else ["the root is no log"]
    if re.fullmatch(r"\d+\.\d+", root.get("xes.version", "")) is None or root.get("xes.features") is None:
        found.append("version or features")
    parts = [part.tag.removeprefix(NAMESPACE) for part in root]
    if any(part not in _ORDER for part in parts) or parts != sorted(parts, key=_ORDER.index):
        found.append("the parts of a log stand in another order")
    declared = {one.get("prefix") for one in root.iter(f"{NAMESPACE}extension")}
    found += [
        f"extension {one.attrib}" for one in root.iter(f"{NAMESPACE}extension")
        if not (_nc(one.get("name")) and _nc(one.get("prefix")) and one.get("uri", "").endswith(".xesext"))
    ]  # fmt: skip
    global_keys = {one.get("scope"): [a.get("key") for a in one] for one in root.iter(f"{NAMESPACE}global")}
    if sorted(map(str, global_keys)) != ["event", "trace"]:
        found.append("one global for traces, one for events")
    for one in root.iter(f"{NAMESPACE}classifier"):
        keys = one.get("keys", "").split()
        if not _nc(one.get("name")) or not set(keys) <= set(global_keys.get(one.get("scope"), [])):
            found.append(f"classifier {one.attrib}")
    for trace in root.iter(f"{NAMESPACE}trace"):
        tags = [part.tag == f"{NAMESPACE}event" for part in trace]
        if tags != sorted(tags):
            found.append("an attribute of a trace stands behind an event")
        found += _element(trace, global_keys["trace"], declared)
        for event in trace.iter(f"{NAMESPACE}event"):
            found += _element(event, global_keys["event"], declared)
    return found


def _element(element: ET.Element, required: list[str | None], declared: set[str | None]) -> list[str]:
    attributes = [part for part in element if part.tag != f"{NAMESPACE}event"]
    keys = [one.get("key", "") for one in attributes]
    found = [f"global {key} is missing" for key in required if key not in keys]
    if len(keys) != len(set(keys)):
        found.append("a key twice")
    for one, key in zip(attributes, keys, strict=True):
        prefix = key.partition(":")[0]
        if _NAME.fullmatch(key) is None or (prefix in STANDARD and prefix not in declared):
            found.append(f"key {key}")
        if not _value(one.tag.removeprefix(NAMESPACE), one.get("value")):
            found.append(f"value of {key}")
        if set(one.attrib) != {"key", "value"} or len(one):
            found.append(f"form of {key}")
    return found


def _value(tag: str, value: str | None) -> bool:
    if value is None:
        return False
    if tag == "date":
        return _DATE_TIME.fullmatch(value) is not None and datetime.fromisoformat(value).tzinfo is not None
    if tag == "int":
        return re.fullmatch(r"-?\d+", value) is not None and abs(int(value)) < 2**63
    return tag == "string"


def _nc(text: str | None) -> bool:
    return text is not None and _NC_NAME.fullmatch(text) is not None
