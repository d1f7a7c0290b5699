"""What may be asked of an export: apart from it, so that a command's help, which only names it, imports no database."""

from typing import Literal

Format = Literal["xes", "ocel-json", "ocel-sqlite"]
Cover = Literal["none", "customers", "all"]
"""Whose numbers are replaced: nobody's, those of loans and borrowers, those of staff as well."""
