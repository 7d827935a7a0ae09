"""`python -m tests.bench.echo PORT`: a bare Litestar that echoes JSON, served as the product is."""

import asyncio
import sys
from typing import Any

from litestar import Litestar, post
from litestar.params import JSONBody

from backend.server import serve
from backend.settings import Settings


@post("/api/v1/echo", status_code=200)
async def echo(data: JSONBody[dict[str, Any]]) -> dict[str, Any]:
    return data


def main() -> None:
    settings = Settings(port=int(sys.argv[1]))
    asyncio.run(serve(Litestar([echo], openapi_config=None), settings))


if __name__ == "__main__":
    main()
