"""Which version of the API this is."""

import msgspec
from litestar import get

API_VERSION = "2026-11-01"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    object: str = "version"
    version: str = API_VERSION


@get("/v1/version", opt={"open": True})
async def version() -> Version:
    return Version()


handlers = [version]
