"""The JSON face. Mounted under /api by the web face, whose lifespan gives it its services."""

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig

from backend.services import Services
from backend.settings import Settings
from mobile_api import idempotent, orders, problems, version
from mobile_api.strict import StrictRequest

MAX_BODY_BYTES = 64 * 1024
RESOURCES = (orders, version)


def create_app(settings: Settings) -> Litestar:
    """`app.state.services` must be set before the first request."""
    return Litestar(
        route_handlers=[handler for resource in RESOURCES for handler in resource.handlers],
        dependencies={
            "services": Provide(_services, sync_to_thread=False),
            "once": Provide(idempotent.provide_once),
        },
        middleware=[idempotent.IdempotencyMiddleware()],  # behind whoever knows the caller
        request_class=StrictRequest,
        exception_handlers=problems.HANDLERS,
        openapi_config=OpenAPIConfig(title="YiPay", version=version.API_VERSION, path="/schema"),
        request_max_body_size=MAX_BODY_BYTES,
        before_send=[problems.security_headers],
        state=State({"settings": settings}),
        logging_config=None,
    )


def _services(state: State) -> Services:
    found = state.services
    assert isinstance(found, Services)
    return found
