"""The registry of what a chart of cases may name; filled by `guards` and `effects`."""

from casework.rules.statechart.registry import Registry

REGISTRY = Registry()
