"""A release is a word of the transaction system: kept in mind until the books bear it out."""

from backend.migrate import from_sql

ID = "2026-11-22T21:50:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "releases wait for the auditor"

SQL = """
-- Set while the auditor still has to see what became of the intent.
alter table risk.reservation add column release_asked_at timestamptz;
create index reservation_release on risk.reservation (release_asked_at)
    where release_asked_at is not null;
"""


async def forwards():
    return from_sql("risk", ID, DESCRIPTION, SQL)
