"""The list of resources. Each is one file with its `handlers`; demo entries exist in demo only."""

from litestar.types import ControllerRouterHandler

from backend.settings import Settings
from web import assets

RESOURCES = (assets,)


def handlers(settings: Settings) -> list[ControllerRouterHandler]:
    return [handler for resource in RESOURCES for handler in resource.handlers]
