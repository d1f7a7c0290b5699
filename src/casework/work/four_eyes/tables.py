"""Requests as they are kept: one row is the fold of the stream `request:<id>`."""

from typing import Final

import sqlalchemy as sa

from casework.lifecycle.kept import Kept
from casework.lifecycle.tables import table_of
from casework.storage.database import partial_index
from casework.work.requests import REQUEST

requests = table_of("requests", REQUEST.rows)
sa.Index("ix_requests_subject", requests.c.subject, requests.c.id)
sa.Index("ix_requests_live", requests.c.live, requests.c.expires_on, requests.c.id)
sa.Index("ix_requests_opened_by", requests.c.opened_by, requests.c.id)
# Of one subject the same thing is asked once at a time.
partial_index("uq_requests_live", requests.c.subject, requests.c.what, unique=True, where="live")

REQUESTS: Final = Kept.of(REQUEST, table=requests)
