"""The named pure functions that a chart may call: guards (may it?), effects (what follows), fact recorders.

A chart file can name only what is registered here under a plain name; it can never reach a dotted path.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import msgspec

Params = Mapping[str, Any]


class Verdict(msgspec.Struct, frozen=True):
    """What a guard found: met or not, the facts it saw, what would satisfy it, and from when time alone does.

    `opens_on` is set only if nothing but the passing of days will turn the verdict to met: on that business
    date it is met.
    """

    met: bool
    saw: Mapping[str, Any] = {}
    needs: Mapping[str, Any] = {}
    opens_on: date | None = None


GuardFunction = Callable[[Any, Params], Verdict]
EffectFunction = Callable[[Any, Params], None]
ParamKind = str  # "int" | "text" | "texts"


class Guard(msgspec.Struct, frozen=True):
    """A registered guard: its function, the parameters it takes and the facts its texts may quote.

    `number` is given by guards on days past due alone: the same decision on a bare number, so that the laws
    can enumerate the cut points of the policy's figures exactly.
    """

    name: str
    decide: GuardFunction
    params: Mapping[str, ParamKind]
    facts: frozenset[str]
    number: Callable[[int, Params], bool] | None = None


class Effect(msgspec.Struct, frozen=True):
    """A registered effect: what a fired event (or a recorded fact) does to the facts of its subject."""

    name: str
    apply: EffectFunction
    params: Mapping[str, ParamKind]


class Registry:
    """The guards, effects and fact recorders one kind of chart may use."""

    def __init__(self) -> None:
        self.guards: dict[str, Guard] = {}
        self.effects: dict[str, Effect] = {}
        self.recorders: dict[str, Effect] = {}
        self.retired: set[str] = set()

    def retire(self, *names: str) -> None:
        """What no chart of today may name; the log's past versions still do, so that it can be replayed."""
        for name in names:
            if name not in {**self.guards, **self.effects, **self.recorders}:
                raise ValueError(f"nothing registered is called {name}")
        self.retired.update(names)

    def guard(
        self,
        *,
        params: Mapping[str, ParamKind] | None = None,
        facts: tuple[str, ...] = (),
        number: Callable[[int, Params], bool] | None = None,
    ) -> Callable[[GuardFunction], GuardFunction]:
        """Register a guard under its function's name; texts may quote `facts`, keys of `saw` or `needs`."""

        def register(function: GuardFunction) -> GuardFunction:
            name = function.__name__
            self.guards[name] = Guard(name, function, dict(params or {}), frozenset(facts), number)
            return function

        return register

    def effect(self, *, params: Mapping[str, ParamKind] | None = None) -> Callable[[EffectFunction], EffectFunction]:
        """Register an effect under its function's name."""

        def register(function: EffectFunction) -> EffectFunction:
            self.effects[function.__name__] = Effect(function.__name__, function, dict(params or {}))
            return function

        return register

    def recorder(self, function: EffectFunction) -> EffectFunction:
        """Register what recording a fact of this kind (the function's name) does to the subject's facts."""
        self.recorders[function.__name__] = Effect(function.__name__, function, {})
        return function
