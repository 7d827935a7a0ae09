"""Query parameters as they must be: none that nobody knows, and no word for "nothing"."""

from functools import cache

from litestar.datastructures import MultiDict
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.middleware.base import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send
from litestar.types.internal_types import PathParameterDefinition

from mobile_api.fields import FieldError
from mobile_api.strict import Invalid, StrictRequest

NOTHING = "null"  # what a lax reading takes for an absent value


class QueryMiddleware(ASGIMiddleware):
    """Refuses: Invalid, with every parameter that is at fault."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        handler = scope.get("route_handler")
        if scope["query_string"] and isinstance(handler, HTTPRouteHandler):
            found = _faults(handler, StrictRequest(scope).query_params)
            if found:
                raise Invalid(*found)
        await next_app(scope, receive, send)


def _faults(handler: HTTPRouteHandler, given: MultiDict[str]) -> list[FieldError]:
    known = _parameters(handler)
    faults = []
    for name in dict.fromkeys(given):
        if name not in known:
            faults.append(FieldError(parameter=name[:64], code="unknown"))
        elif not known[name] and NOTHING in given.getall(name):
            faults.append(FieldError(parameter=name, code="wrong_form"))
    return faults


@cache
def _parameters(handler: HTTPRouteHandler) -> dict[str, bool]:
    """Whether each parameter that the handler or its dependencies take is a text."""
    model = handler.create_kwargs_model(path_parameters=_in_path(handler))
    return {
        each.field_alias: each.is_required or isinstance(each.default, str)
        for each in model.expected_query_params
    }


def _in_path(handler: HTTPRouteHandler) -> dict[str, PathParameterDefinition]:
    """Every one of ours is a text."""
    names = {
        part[1:-1].partition(":")[0]
        for path in handler.paths
        for part in path.split("/")
        if part.startswith("{")
    }
    return {name: PathParameterDefinition(name, name, str, None) for name in names}
