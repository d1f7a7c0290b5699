"""The application on a furnished branch, as the API's own tests have it."""

from tests.api.conftest import assembled, branch, database, furnished, running, settings

__all__ = ["assembled", "branch", "database", "furnished", "running", "settings"]
