"""What one process of the API holds; made by `create_app`, found again through the request."""

from dataclasses import dataclass
from typing import Any

from litestar import Request
from sqlalchemy.engine import Engine

from api.admission import Admission
from api.auth import Tokens
from api.awaiting import Awaiting
from api.behind import Behind
from api.connections import Connections
from api.day_clock import DayClock
from api.importing import Imports
from api.metrics import Metrics
from api.permit_desk import PermitDesk
from api.receipts import Receipts
from api.sealing import Sealing
from api.sealing_apart import SealingApart
from api.writer import Writer
from casework.operation.startup import Started
from casework.settings import Settings
from casework.work.cases.branch import Branch


@dataclass(frozen=True)
class Serving:
    """The open branch, its one writer, and what is known of tokens and measured."""

    started: Started
    writer: Writer
    tokens: Tokens
    metrics: Metrics
    imports: Imports
    admission: Admission
    receipts: Receipts
    awaiting: Awaiting
    sealing: Sealing | SealingApart
    connections: Connections
    permits: PermitDesk
    day_clock: DayClock
    behind: Behind

    @property
    def settings(self) -> Settings:
        """As the process was started."""
        return self.started.settings

    @property
    def engine(self) -> Engine:
        """For `storage.database.reading`; only the writer writes (and short entries of reads of personal data)."""
        return self.started.engine

    @property
    def branch(self) -> Branch:
        """Rulebook and keys."""
        return self.started.branch


def serving_of(request: Request[Any, Any, Any]) -> Serving:
    """The process that serves this request."""
    serving: Serving = request.app.state["serving"]
    return serving
