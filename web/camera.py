"""What a page that reads codes with the device's camera may do beyond others."""

from web.http import WebRequest
from web.security.headers import allow


def permit_camera(request: WebRequest) -> None:
    """The reader is WebAssembly of ours, and a camera's picture is a stream without an address."""
    allow(request.scope, "script-src", "'wasm-unsafe-eval'")
    allow(request.scope, "media-src", "'self'")
    allow(request.scope, "media-src", "blob:")
