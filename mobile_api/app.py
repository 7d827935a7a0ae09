"""The JSON face. Mounted under /api by the web face, whose lifespan gives it its services."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ControllerRouterHandler, Middleware

from backend.clock import Clock, SystemClock
from backend.services import Services
from backend.settings import Settings
from backend.wallet.streams import Streams
from mobile_api import auth, compression, idempotent, problems, rate, seat, version
from mobile_api.etag import EtagMiddleware
from mobile_api.query import QueryMiddleware
from mobile_api.rate import AddressBrake, Counters, PersonBrake
from mobile_api.strict import StrictRequest

MAX_BODY_BYTES = 64 * 1024


def create_app(
    settings: Settings,
    clock: Clock | None = None,
    handlers: Sequence[ControllerRouterHandler] | None = None,
) -> Litestar:
    """`app.state.services` must be set before the first request. `handlers`: instead of all."""
    clock = clock or SystemClock()
    return Litestar(
        route_handlers=route_handlers() if handlers is None else handlers,
        dependencies=DEPENDENCIES,
        middleware=_middleware(Counters(clock)),
        request_class=StrictRequest,
        exception_handlers=problems.HANDLERS,
        openapi_config=None,
        request_max_body_size=MAX_BODY_BYTES,
        before_send=[
            problems.security_headers,
            auth.auth_headers,
            rate.rate_headers,
            version.version_headers,
        ],
        state=State({"settings": settings, "clock": clock, "streams": Streams()}),
        logging_config=None,
    )


def route_handlers() -> list[ControllerRouterHandler]:
    """Of all resources: each is a module beside this one, with its `handlers`."""
    here = [str(Path(__file__).parent)]
    modules = [import_module(f"{__package__}.{found.name}") for found in iter_modules(here)]
    return [handler for each in modules for handler in getattr(each, "handlers", ())]


def _middleware(counters: Counters) -> list[Middleware]:
    """From without to within: kept answers are not packed yet, and are known by their caller."""
    return [
        version.EntryMiddleware(),
        QueryMiddleware(),
        compression.Packing,
        EtagMiddleware(),
        AddressBrake(counters),
        auth.AuthMiddleware(),
        PersonBrake(counters),
        idempotent.IdempotencyMiddleware(),
    ]


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


DEPENDENCIES = {
    "services": Provide(_services, sync_to_thread=False),
    "settings": Provide(_settings, sync_to_thread=False),
    "clock": Provide(_clock, sync_to_thread=False),
    "caller": Provide(auth.provide_caller),
    "holder": Provide(auth.provide_holder),
    "seat": Provide(seat.provide_seat),
    "once": Provide(idempotent.provide_once),
}
