"""The installable app: manifest, offline page, and a service worker for hashed files only."""

import hashlib

import msgspec
from litestar import Response, get
from markupsafe import Markup

from web.assets import Assets
from web.http import WebRequest
from web.i18n import texts
from web.render import draw, page
from web.session import visit_of

PRECACHED = ("css/", "js/", "vendor/", "icons/icon.svg")
LARGE = ("vendor/zxing",)  # for one page, fetched when it is opened
WORKER_CSP = "default-src 'none'; connect-src 'self'; script-src 'self'; frame-ancestors 'none'"
OFFLINE = "/offline"


@get("/manifest.webmanifest")
async def manifest(request: WebRequest) -> Response[bytes]:
    assets: Assets = request.app.state.assets
    text = texts(visit_of(request).language)
    body = {
        "id": "/",
        "name": text.gettext("YiPay"),
        "short_name": text.gettext("YiPay"),
        "description": text.gettext("A wallet of two systems: money moves only when both agree."),
        "lang": text.language,
        "start_url": "/?src=pwa",
        "scope": "/",
        "display": "standalone",
        "background_color": "#f3f6f5",
        "theme_color": "#00695c",
        "icons": [
            _icon(assets, "icons/icon.svg", "any", "any"),
            _icon(assets, "icons/icon-192.png", "192x192", "any"),
            _icon(assets, "icons/icon-512.png", "512x512", "any"),
            _icon(assets, "icons/maskable-512.png", "512x512", "maskable"),
        ],
        "shortcuts": [
            {"name": text.gettext("Scan"), "url": "/scan"},
            {"name": text.gettext("Cashier"), "url": "/cashier"},
            {"name": text.gettext("Bills"), "url": "/bills"},
        ],
    }
    return Response(
        msgspec.json.encode(body),
        media_type="application/manifest+json",
        headers={"Vary": "Accept-Language, Cookie"},
    )


@get("/sw.js")
async def worker(request: WebRequest) -> Response[str]:
    assets: Assets = request.app.state.assets
    wanted = (n for n in assets.names() if n.startswith(PRECACHED) and not n.startswith(LARGE))
    files = sorted(assets.url(name) for name in wanted)
    version = hashlib.sha256("\n".join(files).encode()).hexdigest()[:12]
    script = draw(
        request,
        "pwa/sw.js",
        version=version,
        files=Markup(msgspec.json.encode(files).decode()),  # noqa: S704 — addresses of our own files
        offline=OFFLINE,
    )
    headers = {"Content-Security-Policy": WORKER_CSP, "Cache-Control": "no-cache"}
    return Response(script, media_type="text/javascript", headers=headers)


@get(OFFLINE)
async def offline(request: WebRequest) -> Response[str]:
    """The same for everybody: it is kept on the device, so it must know nobody."""
    return page(request, "pwa/offline.html", person=None)


def _icon(assets: Assets, name: str, sizes: str, purpose: str) -> dict[str, str]:
    kind = "image/svg+xml" if name.endswith(".svg") else "image/png"
    return {"src": assets.url(name), "sizes": sizes, "type": kind, "purpose": purpose}


handlers = [manifest, worker, offline]
