"""`python -m benchmarks [events|feed|verify|…] …` → RESULTS.md: all parts, or those that are named."""

import argparse
from collections.abc import Callable

from benchmarks import (
    bundles,
    contacts,
    departure,
    duties,
    evening,
    events,
    feed,
    growth,
    machine,
    pages,
    permits,
    photos,
    pulling,
    scale,
    sealing,
    search,
    shell,
    sweeping,
    verify,
)
from benchmarks.place import POSTGRESQL, SQLITE, server_of

ALL = (
    "events",
    "feed",
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
PLAIN: dict[str, Callable[..., None]] = {
    "verify": verify.run, "sealing": sealing.run, "departure": departure.run, "contacts": contacts.run,
    "duties": duties.run, "sweep": sweeping.run, "next": pulling.run, "evening": evening.run, "pages": pages.run,
    "photos": photos.run, "shell": shell.run,
}  # fmt: skip


def main() -> None:
    """Run what is asked for; all of it takes about a quarter of an hour."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*ALL, *NAMED, []], default=[], metavar="|".join((*ALL, *NAMED)))
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each run of `events`")
    parser.add_argument("--loans", type=int, default=feed.LOANS, help="loans in the feed")
    parser.add_argument("--cases", type=int, default=scale.LARGE, help="on the large side of `scale` and `growth`")
    parser.add_argument(
        "--entries",
        type=int,
        default=search.LARGE,
        help="entries of the large side of `search`; `bundles` measures them too if they are more than a million",
    )
    parser.add_argument("--only", choices=(POSTGRESQL, SQLITE), help="one database; the results then show no other")
    chosen = parser.parse_args()
    kinds = (chosen.only,) if chosen.only else (POSTGRESQL, SQLITE)
    for name in chosen.names or ALL:
        print(f"── {name}", flush=True)
        if name in PLAIN:
            PLAIN[name](kinds=kinds)
            continue
        match name:
            case "events":
                events.run(seconds=chosen.seconds, kinds=kinds)
            case "feed":
                feed.run(loans=chosen.loans, kinds=kinds)
            case "bundles":
                bundles.run(large=chosen.entries)
            case "search":
                search.run(large=chosen.entries, kinds=kinds)
            case "growth":
                growth.run(large=chosen.cases, kinds=kinds)
            case "permits":
                permits.run(seconds=chosen.seconds, kinds=kinds)
            case _:
                scale.run(large=chosen.cases, kinds=kinds)
    with server_of(POSTGRESQL) as server:
        assert server is not None
        machine.write_facts(server.url("postgres"))


if __name__ == "__main__":
    main()
