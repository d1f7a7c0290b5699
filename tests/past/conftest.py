"""One log per database, shared by the whole folder; what a test adds or attacks is rolled back."""

from tests.log.built_log import log_fixture

log = log_fixture("package")
