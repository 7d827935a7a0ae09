"""One app for the tests of a process: registering its handlers takes longer than most tests do.

What a request meets comes out of the app's state, and that is each test's own.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec
from litestar import Litestar

from backend.clock import Clock, SystemClock
from backend.services import Services
from backend.settings import Settings
from backend.wallet.streams import Streams
from mobile_api.rate import AddressBrake, PersonBrake
from web.app import create_app
from web.security.throttle import STORE, MoneyBrake
from web.shop_csv import Exports

# What shapes an app; the rest says where a test's databases and keys are.
SHAPE = ("demo", "public_origin", "rp_id", "host")
DEMO_SHAPE = (*SHAPE, "sms_url", "bank_url")


class Hand:
    """Shows the time of whichever test runs."""

    def __init__(self) -> None:
        self.clock: Clock = SystemClock()

    def now(self) -> datetime:
        return self.clock.now()


_hand = Hand()
_made: dict[tuple[object, ...], Litestar] = {}


@asynccontextmanager
async def serving(settings: Settings, services: Services, clock: Clock) -> AsyncIterator[Litestar]:
    """As `create_app(settings, services, clock)` within its lifespan."""
    key = tuple(getattr(settings, name) for name in (DEMO_SHAPE if settings.demo else SHAPE))
    if key not in _made:
        _made[key] = create_app(settings, services, _hand)
    app, _hand.clock = _made[key], clock
    await _forget(app)
    async with app.lifespan():
        for face in (app, app.state.mobile):
            face.state.settings, face.state.services = settings, services
            face.state.streams = Streams() if face is app else type(face.state.streams)()
        app.state.exports = Exports()
        yield app


async def _forget(app: Litestar) -> None:
    """Whom the brakes have counted."""
    await app.stores.get(STORE).delete_all()
    for middleware in (*app.middleware, *app.state.mobile.middleware):
        if isinstance(middleware, MoneyBrake):
            middleware._counts.clear()
        elif isinstance(middleware, AddressBrake | PersonBrake):
            middleware._counters._counts.clear()


assert set(DEMO_SHAPE) <= {field.name for field in msgspec.structs.fields(Settings)}
