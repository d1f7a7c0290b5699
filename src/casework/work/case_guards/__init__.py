"""The guards of a case: each one rule, one small named function, reading gathered facts only. Pure.

The chart says where each applies and with which figures; its texts and rule numbers are in the chart too,
which is why a guard whose name says all has no docstring. Importing this package registers them.
"""

from casework.work.case_guards import (
    arrears,
    closing,
    decisions,
    placement,
    reach,
    visits,
)

__all__ = ["arrears", "closing", "decisions", "placement", "reach", "visits"]
