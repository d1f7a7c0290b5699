"""One log of cases, requests and people per database, and files made of it."""

from tests.log.built_log import log_fixture

log = log_fixture("package")
