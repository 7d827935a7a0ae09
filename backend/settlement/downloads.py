"""Addresses under which a file can be fetched for five minutes; kept as hashes."""

import secrets
from datetime import date
from hashlib import sha256

from backend.clock import Clock
from backend.db import TX
from backend.errors import BadRequest
from backend.settlement import (
    DOWNLOAD_LIFE,
    FORMATS,
    KINDS,
    BillFile,
    Download,
    DownloadExpired,
    FileNotReady,
)
from backend.settlement.files import Files
from backend.settlement.paper import unpack

TOKEN_BYTES = 32
MAX_TOKEN = 64

_FILE = ", ".join(f"f.{name}" for name in BillFile.__struct_fields__)
_FOUND = (
    f"select {_FILE}, packed from settlement.download d "  # noqa: S608
    "join settlement.file f using (shop_id, day, kind, format) "
    "where token_hash = $1 and shop_id = $2 and expires_at > $3"
)


class Downloads:
    def __init__(self, files: Files, clock: Clock) -> None:
        self._files, self._clock = files, clock

    async def open(self, shop_id: str, day: date, kind: str, format_: str) -> Download:
        if kind not in KINDS or format_ not in FORMATS:
            raise BadRequest()
        files = await self._files.of_day(shop_id, day)
        file = next((f for f in files if (f.kind, f.format) == (kind, format_)), None)
        if file is None:
            raise FileNotReady(day=day.isoformat())
        token = secrets.token_urlsafe(TOKEN_BYTES)
        expires_at = self._clock.now() + DOWNLOAD_LIFE
        await TX.query(
            "insert into settlement.download values ($1, $2, $3, $4, $5, $6)",
            _hash(token),
            shop_id,
            day,
            kind,
            format_,
            expires_at,
        )
        return Download(file=file, token=token, expires_at=expires_at)

    async def content(self, shop_id: str, token: str) -> tuple[BillFile, bytes]:
        if len(token) > MAX_TOKEN:
            raise DownloadExpired()
        rows = await TX.query(_FOUND, _hash(token), shop_id, self._clock.now())
        if not rows:
            raise DownloadExpired()
        row = dict(rows[0])
        plain = unpack(row.pop("packed"))
        return BillFile(**row), plain

    async def sweep(self) -> int:
        rows = await TX.query(
            "delete from settlement.download where expires_at <= $1 returning 1", self._clock.now()
        )
        return len(rows)


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
