"""Whatever the web shows, a phone can read: every page of the web names its twin here, or why only
a browser has use for it. Actions are in test_parity."""

from litestar import Litestar
from litestar.routes import HTTPRoute

from backend.settings import Settings
from mobile_api.app import create_app as create_mobile_app
from tests.mobile_api.routes import routes
from tests.mobile_api.test_parity import NOWHERE
from web.app import create_app as create_web_app

READS = {
    # a person's money
    "/": "/v1/balance",
    "/bills": "/v1/bills",
    "/bills.csv": "/v1/bills/file",
    "/bills/{bill_id}": "/v1/bills/{bill_id}",
    "/bills/{bill_id}/receipt.json": "/v1/bills/{bill_id}/receipt",
    "/bills/{bill_id}/receipt.pdf": "/v1/bills/{bill_id}/record",
    "/receipt-keys.json": "/v1/receipt-keys",
    "/cards": "/v1/cards",
    "/cards/{card_id}": "/v1/cards/{card_id}",
    "/topups/new": "/v1/cards",
    "/topups/{topup_id}": "/v1/topups/{topup_id}",
    "/withdrawals/new": "/v1/withdrawals/quote",
    "/withdrawals/{withdrawal_id}": "/v1/withdrawals/{withdrawal_id}",
    "/limits": "/v1/limits",
    "/payments/{payment_id}": "/v1/payments/{payment_id}",
    # codes
    "/o/{code}": "/v1/orders/{order_id}",
    "/O/{code}": "/v1/orders/{order_id}",
    "/p/{code}": "/v1/static-codes/{code_id}",
    "/P/{code}": "/v1/static-codes/{code_id}",
    "/u/{code}": "/v1/receive-codes/{code_id}",
    "/U/{code}": "/v1/receive-codes/{code_id}",
    "/receive/{code}": "/v1/receive-codes/{code_id}",
    "/receive/latest": "/v1/events",
    "/code/state": "/v1/payment-codes/state",
    "/code": "/v1/payments/asked",
    # people
    "/friends": "/v1/friends",
    "/friends/requests/sent": "/v1/friend-requests",
    "/friends/codes/{code}": "/v1/receive-codes/{code_id}",
    "/friends/{friend_id}": "/v1/friends/{friend_id}",
    "/f/{secret}": "/v1/friend-links/{secret}",
    "/groups": "/v1/groups",
    "/groups/{group_id}": "/v1/groups/{group_id}",
    "/groups/{group_id}/members/new": "/v1/groups/{group_id}/members",
    "/g/{secret}": "/v1/group-links/{secret}",
    # between people
    "/send": "/v1/friends",
    "/send/{payee_id}": "/v1/friends/{friend_id}",
    "/transfers/{transfer_id}": "/v1/transfers/{transfer_id}",
    "/requests": "/v1/requests",
    "/requests/new": "/v1/friends",
    "/requests/{request_id}": "/v1/requests/{request_id}",
    "/packets": "/v1/inbox",
    "/packets.csv": "/v1/inbox/file",
    "/packets/{packet_id}": "/v1/red-packets/{packet_id}/detail",
    "/packets/{packet_id}/payment": "/v1/red-packets/{packet_id}/sent",
    "/packets/{packet_id}/share": "/v1/red-packets/{packet_id}/sent",
    "/r/{code}": "/v1/red-packets/{packet_id}",
    "/R/{code}": "/v1/red-packets/{packet_id}",
    "/notices": "/v1/notices",
    "/notices/bell": "/v1/notices/unread",
    "/notices/switches": "/v1/notices/switches",
    "/notices/{notice_id}": "/v1/notices",
    "/events": "/v1/events",
    # security
    "/security": "/v1/devices",
    "/freeze": "/v1/freeze",
    # shops
    "/shop": "/v1/shop/today",
    "/shop/activity": "/v1/shop/activity",
    "/shop/files": "/v1/shop/files",
    "/downloads/{token}": "/v1/shop/downloads/{token}",
    "/shop/orders": "/v1/shop/orders",
    "/shop/orders/{order_id}": "/v1/shop/orders/{order_id}",
    "/shop/orders/{order_id}/refund": "/v1/shop/orders/{order_id}/refunds",
    "/shop/orders/{order_id}/refunds/{refund_id}": (
        "/v1/shop/orders/{order_id}/refunds/{refund_id}"
    ),
    "/shop/refunds": "/v1/shop/refund-requests",
    "/shop/seats": "/v1/seats",
    "/shop/settlement": "/v1/shop/settlement",
    "/shop/settlement/card": "/v1/cards",
    "/shop/settlement/{batch_id}": "/v1/shop/settlement/batches/{batch_id}",
    "/shop/staff": "/v1/shop/staff",
    "/shop/stores": "/v1/shop/stores",
    "/shop/stores/{store_id}": "/v1/shop/terminals",
    "/shop/views": "/v1/shop/views",
    "/j/{secret}": "/v1/shop-invitations/{secret}",
    "/cashier": "/v1/till/shift",
    "/orders/{order_id}": "/v1/till/orders/{order_id}",
}

EMPTY = "a form: nothing in it comes from us"
BROWSER = "of browsers: "
PICTURE = "a picture: a phone draws its own, of what it reads elsewhere"
PAGES_ALONE = {
    "/cards/new": EMPTY,
    "/friends/new": EMPTY,
    "/groups/new": EMPTY,
    "/packets/new": EMPTY,
    "/receive/amount": EMPTY,
    "/shop/new": EMPTY,
    "/devices/new": EMPTY,
    "/scan": EMPTY,
    "/sign-in": EMPTY,
    "/sign-up": EMPTY,
    "/sign-up/code": EMPTY,
    "/sign-up/passkey": EMPTY,
    "/receive/{code}/picture.svg": PICTURE,
    "/shop/terminals/{terminal_id}/poster": PICTURE,
    "/shop/terminals/{terminal_id}/poster.pdf": PICTURE,
    "/shop/terminals/{terminal_id}/poster.svg": PICTURE,
    "/receive": "an action for phones: POST /v1/receive-codes answers with the code",
    "/code/ahead": "an action for phones: POST /v1/payment-codes/ahead answers with the codes",
    "/shop/series.json": BROWSER + "the points of the page's chart; a phone has the day's sums",
    "/shop/orders.csv": BROWSER + "a file for spreadsheets; the list gives the same rows",
    "/shop/exports/{export_id}": BROWSER + "how far that file is",
    "/pay": BROWSER + "leads old shortcuts on",
    "/welcome": BROWSER + "what the product is, for whoever comes by",
    "/sign-up/known": BROWSER + "leads on to signing in; a phone is told by the code's answer",
    "/signed-out": BROWSER + "says that it is done",
    "/sessions/here": BROWSER + "keeps an idle session awake; a phone's lives 30 days",
    "/offline": BROWSER + "part of the installed page",
    "/manifest.webmanifest": BROWSER + "part of the installed page",
    "/sw.js": BROWSER + "part of the installed page",
    "/static/{name}": BROWSER + "styles, scripts and pictures of pages",
    "/.well-known/assetlinks.json": "of the system a phone runs on: which app opens our links",
    "/.well-known/apple-app-site-association": "of the system a phone runs on: the same",
}


def test_every_page_of_the_web_has_its_twin() -> None:
    phone = {each.path for each in routes(create_mobile_app(Settings())) if each.method == "GET"}
    web = set(_pages(create_web_app(Settings(demo=True))))
    assert len(web) > 90
    assert not READS.keys() & PAGES_ALONE.keys()
    assert web - READS.keys() - PAGES_ALONE.keys() == set(), "pages of the web without a twin"
    assert READS.keys() | PAGES_ALONE.keys() == web, "the table names what is gone"
    assert set(READS.values()) - phone == set(), "twins that are not there"


def test_actions_that_stand_for_a_page_are_there() -> None:
    phone = {each.name for each in routes(create_mobile_app(Settings()))}
    told = [reason for reason in PAGES_ALONE.values() if reason.startswith("an action")]
    assert len(told) == 2
    for reason in told:
        assert " ".join(reason.partition(": ")[2].split()[:2]) in phone


def _pages(app: Litestar) -> list[str]:
    return [
        route.path_format
        for route in app.routes
        if isinstance(route, HTTPRoute)
        and "GET" in route.methods
        and not route.path_format.startswith(NOWHERE)
    ]
