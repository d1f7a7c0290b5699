"""What an option for a sheet takes: a file whose name says which of the two it is."""

from pathlib import Path
from typing import Any

import click


class SheetFile(click.ParamType[Path]):
    """A file that ends in .xlsx or .csv, in upper or lower case."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """BadParameter for a file of any other name, and for a folder."""
        path = Path(value)
        if path.suffix.lower() not in (".xlsx", ".csv") or path.is_dir():
            self.fail("a file ends in .xlsx or .csv", param, ctx)
        return path
