"""What phones read to learn which apps are ours, so that those may use this site's passkeys."""

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from backend.errors import NotFound
from backend.settings import AndroidApp, Settings

OPEN = {"asset": True}  # read by machines: no session
MEDIA_TYPE = "application/json"
RELATIONS = (
    "delegate_permission/common.get_login_creds",
    "delegate_permission/common.handle_all_urls",
)


class Target(msgspec.Struct, frozen=True):
    namespace: str
    package_name: str
    sha256_cert_fingerprints: list[str]


class Statement(msgspec.Struct, frozen=True):
    relation: tuple[str, ...]
    target: Target


class WebCredentials(msgspec.Struct, frozen=True):
    apps: tuple[str, ...]


class Association(msgspec.Struct, frozen=True):
    webcredentials: WebCredentials


@get("/.well-known/assetlinks.json", opt=OPEN)
async def android(settings: NamedDependency[Settings]) -> Response[bytes]:
    """Refuses: NotFound."""
    packages: dict[str, list[str]] = {}
    for app in settings.android:
        packages.setdefault(app.package, []).append(_fingerprint(app))
    return _answer(
        [
            Statement(RELATIONS, Target("android_app", package, fingerprints))
            for package, fingerprints in packages.items()
        ]
    )


@get("/.well-known/apple-app-site-association", opt=OPEN)
async def apple(settings: NamedDependency[Settings]) -> Response[bytes]:
    """Refuses: NotFound."""
    return _answer(Association(WebCredentials(settings.apple)) if settings.apple else None)


def _fingerprint(app: AndroidApp) -> str:
    return app.digest.hex(":").upper()


def _answer(said: list[Statement] | Association | None) -> Response[bytes]:
    if not said:
        raise NotFound()
    return Response(msgspec.json.encode(said), media_type=MEDIA_TYPE)


handlers = [android, apple]
