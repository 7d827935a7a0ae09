"""The contract in a file, so that a change of it is seen: `python -m mobile_api.openapi` writes it.

It is served as it is committed; a test compares it with the handlers.
"""

import sys
from typing import Any

import msgspec
from litestar import Litestar
from litestar.openapi import OpenAPIConfig

from mobile_api import app, version
from mobile_api.contract.document import document
from mobile_api.reference.pages import CONTRACT

REWRITE = "python -m mobile_api.openapi"


def current() -> bytes:
    """The document of the handlers as they are. Raises UnknownCode, NoExample."""
    described = Litestar(
        route_handlers=app.route_handlers(),
        dependencies=app.DEPENDENCIES,
        openapi_config=OpenAPIConfig(title="YiPay", version=version.API_VERSION, path="/described"),
        logging_config=None,
    )
    return rendered(document(described))


def rendered(found: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"


def main() -> int:
    CONTRACT.write_bytes(current())
    return 0


if __name__ == "__main__":
    sys.exit(main())
