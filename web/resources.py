"""The list of resources. Each is one file with its `handlers`; demo entries exist in demo only."""

from importlib import import_module

from litestar.types import ControllerRouterHandler

from backend.settings import Settings
from web import (
    approvals,
    assets,
    bank_callbacks,
    bills,
    cards,
    cashier,
    codes,
    devices,
    events,
    files,
    freeze,
    home,
    joining,
    language,
    limits,
    nowhere,
    orders,
    pay_code,
    payments,
    posters,
    pwa,
    receive,
    refunds,
    scan,
    security_page,
    sessions,
    settlement,
    shop_csv,
    shop_home,
    shop_orders,
    shop_views,
    shops,
    sign_in,
    sign_up,
    staff,
    static_codes,
    stores,
    till_orders,
    topups,
    welcome,
)

RESOURCES = (
    assets,
    welcome,
    sign_up,
    sign_in,
    language,
    security_page,
    approvals,
    devices,
    sessions,
    freeze,
    limits,
    bank_callbacks,
    home,
    codes,
    scan,
    static_codes,
    orders,
    pay_code,
    payments,
    receive,
    topups,
    cards,
    bills,
    shops,
    shop_home,
    shop_csv,
    shop_orders,
    shop_views,
    stores,
    posters,
    staff,
    joining,
    cashier,
    till_orders,
    refunds,
    settlement,
    files,
    events,
    pwa,
    nowhere,
)


def handlers(settings: Settings) -> list[ControllerRouterHandler]:
    found: list[ControllerRouterHandler] = [
        handler for resource in RESOURCES for handler in resource.handlers
    ]
    if settings.demo:
        found += import_module("web.demo").handlers  # not even imported elsewhere
    return found
