"""`python -m benchmarks [events|feed|verify|…] …` → RESULTS.md: all parts, or those that are named."""

import argparse
from collections.abc import Callable
from importlib import import_module

from benchmarks import machine
from benchmarks.place import POSTGRESQL, SQLITE, server_of

ALL = (
    "feed",  # first: its imports begin as forks, with what was imported by then
    "events",
    "verify",
    "sealing",
    "bundles",
    "departure",
    "duties",
    "search",
    "scale",
    "permits",
    "contacts",
    "sweep",
    "next",
    "evening",
    "pages",
    "photos",
    "shell",
)
NAMED = ("growth",)
"""Takes as long as all others together: only when it is named."""
_MODULES = {"sweep": "sweeping", "next": "pulling"}
"""Those that are not called as the part is; each is imported when its turn comes, for the same reason."""
TAKES = {
    "events": {"seconds": "seconds"}, "permits": {"seconds": "seconds"}, "feed": {"loans": "loans"},
    "scale": {"cases": "large"}, "growth": {"cases": "large"}, "search": {"entries": "large"},
    "bundles": {"entries": "large"},
}  # fmt: skip
"""Of each part the options that it takes, and what it calls them."""


def part(name: str) -> Callable[..., None]:
    """What measures it."""
    run: Callable[..., None] = import_module(f"benchmarks.{_MODULES.get(name, name)}").run
    return run


def main() -> None:
    """Run what is asked for; all of it takes more than an hour."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*ALL, *NAMED, []], default=[], metavar="|".join((*ALL, *NAMED)))
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each run of `events`")
    parser.add_argument("--loans", type=int, help="loans in the feed")
    parser.add_argument("--cases", type=int, help="on the large side of `scale` and `growth`")
    parser.add_argument(
        "--entries", type=int,
        help="entries of the large side of `search`; `bundles` measures them too if they are more than a million",
    )  # fmt: skip
    parser.add_argument("--only", choices=(POSTGRESQL, SQLITE), help="one database; the results then show no other")
    chosen = parser.parse_args()
    kinds = (chosen.only,) if chosen.only else (POSTGRESQL, SQLITE)
    for name in chosen.names or ALL:
        print(f"── {name}", flush=True)
        given = {its: getattr(chosen, option) for option, its in TAKES.get(name, {}).items()}
        options = {its: value for its, value in given.items() if value is not None}
        if name != "bundles":  # which are files
            options["kinds"] = kinds
        part(name)(**options)
    with server_of(POSTGRESQL) as server:
        assert server is not None
        machine.write_facts(server.url("postgres"))


if __name__ == "__main__":
    main()
