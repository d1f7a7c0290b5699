"""What a connection may be at, and how long each of it may take, as settings and the limit of open files allow."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

from casework.file_limit import room_for
from casework.settings import Settings

LINGER_S: Final = 5.0
"""How long the rest of a body is waited for that nobody reads any more: its request is answered."""
LEAST_BYTES_PER_S: Final = 1_024
"""A body that comes more slowly over the time for bodies is given up, and so is an answer that is read more slowly."""


class Phase(Enum):
    """What a connection is at; all but `SERVED` are waiting for the client."""

    HEAD = "headers"  # nothing has come yet, or a request has begun
    BODY = "body"
    SERVED = "served"  # the request is whole; its answer is not
    REST = "rest"  # answered before its body was whole
    IDLE = "idle"


@dataclass(frozen=True)
class ConnectionLimits:
    """How many connections a process keeps, and for how many seconds it waits for each."""

    connections: int
    header_s: float
    body_s: float
    idle_s: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What the settings ask for, as far as this process may open files; CallerError `file_limit_low`."""
        return cls(
            room_for(settings.connections), settings.header_timeout_s, settings.body_timeout_s, settings.idle_timeout_s
        )

    def allowed_s(self, phase: Phase) -> float:
        """How long a connection may be at a phase; at a body, until so much more of it must have come."""
        match phase:
            case Phase.HEAD:
                return self.header_s
            case Phase.BODY:
                return self.body_s
            case Phase.REST:
                return LINGER_S
            case Phase.IDLE:
                return self.idle_s
            case Phase.SERVED:
                return float("inf")

    def is_enough(self, bytes_: int) -> bool:
        """Whether a body that came on by so many bytes in the time for bodies, or an answer, is not too slow."""
        return bytes_ >= LEAST_BYTES_PER_S * self.body_s
