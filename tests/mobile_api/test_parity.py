"""Whatever the web can do, a phone can do: every unsafe route of the web names its twin here, or
why only a browser has use for it. What money does is compared in test_parity_money."""

from litestar import Litestar
from litestar.routes import HTTPRoute

from backend.settings import Settings
from mobile_api.app import create_app as create_mobile_app
from tests.mobile_api.routes import routes
from web.app import create_app as create_web_app

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}

TWINS = {
    # doors
    "POST /sign-up": "POST /v1/enrolments",
    "POST /sign-up/code": "POST /v1/enrolments/{enrolment_id}/code",
    "POST /sign-up/passkey/ceremony": "POST /v1/enrolments/{enrolment_id}/ceremony",
    "POST /sign-up/passkey": "POST /v1/enrolments/{enrolment_id}/device",
    "POST /sign-in/ceremony": "POST /v1/sign-in/ceremony",
    "POST /sign-in": "POST /v1/sign-in",
    "POST /sign-out": "POST /v1/sign-out",
    # security
    "POST /approvals": "POST /v1/approvals",
    "POST /devices/grants": "POST /v1/devices/grants",
    "POST /devices/ceremony": "POST /v1/devices/ceremony",
    "POST /devices/first/ceremony": "POST /v1/devices/first/ceremony",
    "POST /devices": "POST /v1/devices",
    "POST /devices/{device_id}/removal": "POST /v1/devices/{device_id}/removal",
    "POST /sessions/{session_id}/end": "DELETE /v1/sessions/{session_id}",
    "POST /sessions/end": "DELETE /v1/sessions",
    "POST /freeze": "POST /v1/freeze",
    "POST /freeze/undo": "POST /v1/freeze/undo",
    "POST /language": "PATCH /v1/settings",
    # a person's money
    "POST /cards": "POST /v1/cards",
    "POST /cards/{card_id}/confirmation": "POST /v1/cards/{card_id}/confirm",
    "POST /topups": "POST /v1/topups",
    "POST /withdrawals": "POST /v1/withdrawals",
    "POST /withdrawals/{withdrawal_id}/ceremony": "POST /v1/withdrawals/{withdrawal_id}/ceremony",
    "POST /withdrawals/{withdrawal_id}/confirmation": (
        "POST /v1/withdrawals/{withdrawal_id}/confirm"
    ),
    "POST /payments": "POST /v1/payments",
    "POST /payments/ceremonies": "POST /v1/payments/{payment_id}/ceremony",
    "POST /payments/{payment_id}/confirmation": "POST /v1/payments/{payment_id}/confirm",
    "POST /p/{code}": "POST /v1/static-codes/{code_id}/orders",
    "POST /u/{code}": "POST /v1/receive-codes/{code_id}/orders",
    "POST /receive": "POST /v1/receive-codes",
    "POST /scan": "POST /v1/codes/parse",
    "POST /code/ahead": "POST /v1/payment-codes/ahead",
    "POST /code/digits": "POST /v1/payment-codes/reveal",
    "POST /code/revocation": "DELETE /v1/payment-codes",
    "POST /bills/{bill_id}/label": "PUT /v1/bills/{bill_id}/label",
    "POST /bills/{bill_id}/refund-requests": "POST /v1/bills/{bill_id}/refund-requests",
    # people
    "POST /friends/finds": "POST /v1/friend-lookups",
    "POST /friends/links": "POST /v1/friend-links",
    "POST /friends/links/withdrawal": "DELETE /v1/friend-links",
    "POST /friends/requests": "POST /v1/friend-requests",
    "POST /friends/requests/{request_id}/withdrawal": "DELETE /v1/friend-requests/{request_id}",
    "POST /friends/{friend_id}/acceptance": "POST /v1/friends/{friend_id}/accept",
    "POST /friends/{friend_id}/refusal": "POST /v1/friends/{friend_id}/decline",
    "POST /friends/{friend_id}/remark": "PATCH /v1/friends/{friend_id}",
    "POST /friends/{friend_id}/removal": "DELETE /v1/friends/{friend_id}",
    "POST /friends/{friend_id}/block": "PUT /v1/friends/{friend_id}/block",
    "POST /friends/{friend_id}/block/end": "DELETE /v1/friends/{friend_id}/block",
    "POST /groups": "POST /v1/groups",
    "POST /groups/{group_id}/members": "POST /v1/groups/{group_id}/members",
    "POST /groups/{group_id}/leaving": "DELETE /v1/groups/{group_id}/membership",
    "POST /groups/{group_id}/links": "POST /v1/groups/{group_id}/links",
    "POST /groups/{group_id}/links/withdrawal": "DELETE /v1/groups/{group_id}/links",
    "POST /groups/{group_id}/requests": "POST /v1/requests",
    "POST /g/{secret}": "POST /v1/group-links/{secret}/join",
    # between people
    "POST /send": "POST /v1/payees",
    "POST /send/{payee_id}": "POST /v1/transfers",
    "POST /transfers/{transfer_id}/ceremony": "POST /v1/transfers/{transfer_id}/ceremony",
    "POST /transfers/{transfer_id}/payment": "POST /v1/transfers/{transfer_id}/ceremony",
    "POST /transfers/{transfer_id}/confirmation": "POST /v1/transfers/{transfer_id}/confirm",
    "POST /transfers/{transfer_id}/recall": "POST /v1/transfers/{transfer_id}/recall",
    "POST /requests": "POST /v1/requests",
    "POST /requests/summary": "POST /v1/requests/preview",
    "POST /requests/{request_id}/decline": "POST /v1/requests/{request_id}/decline",
    "POST /requests/{request_id}/reminder": "POST /v1/requests/{request_id}/remind",
    "POST /requests/{request_id}/withdrawal": "POST /v1/requests/{request_id}/withdraw",
    "POST /packets": "POST /v1/red-packets",
    "POST /packets/{packet_id}/payment": "POST /v1/red-packets/{packet_id}/ceremony",
    "POST /packets/{packet_id}/confirmation": "POST /v1/red-packets/{packet_id}/confirm",
    "POST /packets/{packet_id}/thanks": "PUT /v1/red-packets/{packet_id}/thanks",
    "POST /r/{code}": "POST /v1/red-packets/{packet_id}/open",
    "POST /notices/read": "POST /v1/notices/read",
    "POST /notices/switches/{kind}": "PUT /v1/notices/switches/{kind}",
    # shops
    "POST /shops": "POST /v1/shops",
    "POST /shop/seats": "POST /v1/seats",
    "POST /shop/state": "POST /v1/shop/state",
    "POST /shop/stores": "POST /v1/shop/stores",
    "POST /shop/stores/{store_id}": "PUT /v1/shop/stores/{store_id}",
    "POST /shop/stores/{store_id}/terminals": "POST /v1/shop/terminals",
    "POST /shop/terminals/{terminal_id}": "PUT /v1/shop/terminals/{terminal_id}",
    "POST /shop/staff/invitations": "POST /v1/shop/staff/invitations",
    "POST /shop/staff/invitations/ceremony": "POST /v1/approvals",
    "POST /shop/staff/{member_id}/ceremony": "POST /v1/approvals",
    "POST /shop/staff/{member_id}/removal/ceremony": "POST /v1/approvals",
    "POST /shop/staff/{member_id}": "PUT /v1/shop/staff/{member_id}",
    "POST /shop/staff/{member_id}/removal": "POST /v1/shop/staff/{member_id}/removal",
    "POST /j/{secret}/ceremony": "POST /v1/shop-invitations/{secret}/ceremony",
    "POST /j/{secret}": "POST /v1/shop-invitations/{secret}/confirm",
    "POST /orders": "POST /v1/till/orders",
    "POST /orders/{order_id}/cancellation": "POST /v1/till/orders/{order_id}/cancel",
    "POST /orders/{order_id}/reversal": "POST /v1/till/orders/{order_id}/reverse",
    "POST /shop/orders/{order_id}/refund": "POST /v1/shop/orders/{order_id}/refunds",
    "POST /shop/orders/{order_id}/refunds/{refund_id}/confirmation": (
        "POST /v1/shop/orders/{order_id}/refunds/{refund_id}/confirm"
    ),
    "POST /shop/refunds/{request_id}/decline": (
        "POST /v1/shop/refund-requests/{request_id}/decline"
    ),
    "POST /shop/views": "POST /v1/shop/views",
    "POST /shop/views/{view_id}/removal": "DELETE /v1/shop/views/{view_id}",
    "POST /shop/settlement/card": "POST /v1/shop/settlement/card",
    "POST /shop/files/downloads": "POST /v1/shop/files/downloads",
}

REASONS = {
    "POST /amounts/hidden": "browser only: a cookie that blurs amounts on this screen",
    "POST /amounts/shown": "browser only: a cookie that blurs amounts on this screen",
    "POST /scan/photo": "browser only: a page without a camera sends a picture; a phone reads it",
    "POST /shop/orders.csv": "browser only: a file of chosen rows; the list gives the same rows",
    "POST /demo/{role}": "browser only: the demo's doors, mounted in the demo alone",
    "POST /bank/callbacks": "not a person's action: the bank's word, to one address",
}
NOWHERE = "/{nowhere}"  # answers 404 to whatever is not there


def test_every_action_of_the_web_has_its_twin() -> None:
    phone = {route.name for route in routes(create_mobile_app(Settings()))}
    web = set(_actions(create_web_app(Settings(demo=True))))
    assert len(web) > 80
    assert not TWINS.keys() & REASONS.keys()
    assert web - TWINS.keys() - REASONS.keys() == set(), "actions of the web without a twin"
    assert TWINS.keys() | REASONS.keys() == web, "the table names what is gone"
    assert set(TWINS.values()) - phone == set(), "twins that are not there"


def test_reasons_are_of_the_browser_or_the_bank() -> None:
    for reason in REASONS.values():
        assert reason.startswith(("browser only: ", "not a person's action: "))


def _actions(app: Litestar) -> list[str]:
    return [
        f"{method} {route.path_format}"
        for route in app.routes
        if isinstance(route, HTTPRoute) and not route.path_format.startswith(NOWHERE)
        for method in UNSAFE & set(route.methods)
    ]
