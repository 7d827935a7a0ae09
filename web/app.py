"""The web face. `create_app()` is what the server loads; tests pass settings and services in."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from litestar import Litestar, asgi
from litestar.config.compression import CompressionConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send

from backend import logs, ops, services
from backend.clock import Clock, clock_for
from backend.services import Services
from backend.settings import Settings, load
from backend.wallet.streams import Streams
from mobile_api.app import create_app as create_mobile_app
from web import assets, problems, resources, session
from web.arrival import ArrivalMiddleware
from web.head import HeadLikeGet
from web.http import WebRequest
from web.render import Pages
from web.request_log import RequestIdMiddleware
from web.security.csrf import CsrfMiddleware
from web.security.headers import security_headers
from web.security.throttle import MoneyBrake, forgetting, throttle
from web.shop_csv import Exports

MAX_BODY_BYTES = 64 * 1024
SMALLEST_PACKED_BYTES = 1024

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def create_app(
    settings: Settings | None = None, given: Services | None = None, clock: Clock | None = None
) -> Litestar:
    """Without arguments: settings from the environment, services built at start and closed at end.
    `given` services stay their owner's."""
    settings = settings or load()
    clock = clock or clock_for(settings)
    files = assets.Assets()
    mobile = create_mobile_app(settings, clock)
    return HeadLikeGet(
        route_handlers=[*resources.handlers(settings), _mount(mobile)],
        dependencies={
            "services": Provide(_services, sync_to_thread=False),
            "settings": Provide(_settings, sync_to_thread=False),
            "clock": Provide(_clock, sync_to_thread=False),
            "visit": Provide(session.provide_visit),
            "person": Provide(session.provide_person),
        },
        middleware=[
            RequestIdMiddleware(),
            ops.request_metrics("web"),
            throttle.middleware,
            ArrivalMiddleware(),
            session.VisitMiddleware(),
            CsrfMiddleware(settings.public_origin),
            MoneyBrake(clock),
        ],
        lifespan=[_lifespan(settings, given, clock, mobile), forgetting],
        exception_handlers=problems.HANDLERS,
        before_send=[security_headers(settings)],
        compression_config=CompressionConfig(
            backend="gzip", minimum_size=SMALLEST_PACKED_BYTES, exclude_opt_key="asset"
        ),
        request_class=WebRequest,
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=None,
        logging_config=None,
        state=State(
            {
                "settings": settings,
                "clock": clock,
                "assets": files,
                "streams": Streams(),
                "exports": Exports(),
                "pages": Pages(settings, files, clock),
                "mobile": mobile,
            }
        ),
    )


def _lifespan(
    settings: Settings, given: Services | None, clock: Clock, mobile: Litestar
) -> Lifespan:
    @asynccontextmanager
    async def run(app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            found = given
            if found is None:
                logs.configure(settings, "bff")
                found, close = await services.build(settings, clock=clock)
                stack.push_async_callback(close)
                stack.push_async_callback(await ops.start(settings, found, clock))
            # A mounted app's own lifespan never runs: it gets what it needs from here.
            app.state.services = mobile.state.services = found
            yield

    return run


def _mount(mobile: ASGIApp) -> ControllerRouterHandler:
    """The JSON face knows nothing of sessions in cookies, so nothing of the web's applies to it."""

    @asgi("/api", is_mount=True, copy_scope=True, opt={"asset": True, "exclude_from_csrf": True})
    async def api(scope: Scope, receive: Receive, send: Send) -> None:
        await mobile(scope, receive, send)

    return api


def _services(state: State) -> Services:
    found = state.services
    assert isinstance(found, Services)
    return found


def _settings(state: State) -> Settings:
    found = state.settings
    assert isinstance(found, Settings)
    return found


def _clock(state: State) -> Clock:
    found: Clock = state.clock
    return found
