"""The exports for process mining, read by pm4py in an environment of its own: `python -m tests.mining_check`."""
