"""The contract as it is committed, for programs."""

from pathlib import Path

from litestar import Response, get

CONTRACT = Path(__file__).with_name("openapi.json")


@get("/schema/openapi.json", opt={"open": True}, include_in_schema=False)
async def schema() -> Response[bytes]:
    """The OpenAPI document."""
    return Response(CONTRACT.read_bytes(), media_type="application/json")


handlers = [schema]
