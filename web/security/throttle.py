"""A coarse brake per address on the doors; the real limits are rules of the security system."""

from typing import Any

from litestar import Request
from litestar.middleware.rate_limit import RateLimitConfig

PER_MINUTE = 60
WINDOW_S = 60
OPT = "throttled"  # handlers that open a door carry it


def _is_door(request: Request[Any, Any, Any]) -> bool:
    return bool(request.route_handler.opt.get(OPT)) and request.method == "POST"


throttle = RateLimitConfig(
    rate_limit=("minute", PER_MINUTE),
    check_throttle_handler=_is_door,
    set_rate_limit_headers=False,
    store="web_doors",
)
