"""Every page of the product and how to get there: for pictures, weights and accessibility."""

from collections.abc import Mapping

from playwright.sync_api import Page

FOR_VISITORS = {
    "welcome": "/welcome",
    "sign-in": "/sign-in",
    "sign-up": "/sign-up",
    "not-found": "/nothing",
    "offline": "/offline",
    "signed-out": "/signed-out",
}
FOR_CONSUMERS = {
    "home": "/",
    "bills": "/bills",
    "top-up": "/topups/new",
    "withdraw": "/withdrawals/new",
    "cards": "/cards",
    "card-new": "/cards/new",
    "scan": "/scan",
    "code": "/code",
    "codes-ahead": "/code/ahead",
    "receive": "/receive",
    "receive-amount": "/receive/amount",
    "packets": "/packets",
    "packets-received": "/packets?box=received",
    "packets-sent": "/packets?box=sent",
    "packet-new": "/packets/new",
    "friends": "/friends",
    "friend-new": "/friends/new",
    "friends-asked": "/friends/requests/sent",
    "groups": "/groups",
    "group-new": "/groups/new",
    "send": "/send",
    "requests": "/requests",
    "request-new": "/requests/new",
    "notices": "/notices",
    "notice-switches": "/notices/switches",
    "bills-filtered": "/bills?kind=payment",
    "freeze": "/freeze",
    "security": "/security",
    "limits": "/limits",
    "shop-new": "/shop/new",
}
FOR_SHOPS = {
    "shop": "/shop",
    "cashier": "/cashier",
    "shop-orders": "/shop/orders",
    "shop-views": "/shop/views",
    "shop-refunds": "/shop/refunds",
    "stores": "/shop/stores",
    "staff": "/shop/staff",
    "activity": "/shop/activity",
    "seats": "/shop/seats",
    "settlement": "/shop/settlement",
    "payout-card": "/shop/settlement/card",
    "files": "/shop/files",
}
FOR_CASHIERS = {"cashier-s-till": "/cashier", "permission-missing": "/shop/orders"}

# Pages whose address is in a link of another page: where to begin, and what to follow.
LINKED_FOR_CONSUMERS = {
    "bill": ("/bills", "main a[href^='/bills/']"),
    "packet-closed": ("/packets", "main a.small-packet"),
    "friend": ("/friends", "main a.row[href^='/friends/usr_']"),
    "group": ("/friends", "main a[href^='/groups/grp_']"),
    "packet-opened": ("/packets?box=received", "main a.row[href^='/packets/red_']"),
}
LINKED_FOR_SHOPS = {
    "store": ("/shop/stores", "main a[href^='/shop/stores/']"),
    "poster": ("/shop/stores", "main a[href^='/shop/stores/']", "main a[href$='/poster']"),
    "shop-order": ("/shop/orders", "main a[href^='/shop/orders/ord_']"),
    "refund": ("/shop/refunds", "main a[href$='/refund']"),
    "settlement-day": ("/shop/settlement", "main a.row[href^='/shop/settlement/']"),
}

EVERYWHERE: Mapping[str, tuple[Mapping[str, str], Mapping[str, tuple[str, ...]]]] = {
    "visitor": (FOR_VISITORS, {}),
    "consumer": (FOR_CONSUMERS, LINKED_FOR_CONSUMERS),
    "shop": (FOR_SHOPS, LINKED_FOR_SHOPS),
    "cashier": (FOR_CASHIERS, {}),
}


def follow(page: Page, path: str, *links: str) -> str:
    """The path that the links lead to, each on the page before it."""
    for link in links:
        page.goto(path)
        found = page.locator(link).first.get_attribute("href")
        assert found, f"no {link} in {path}"
        path = found
    return path


def all_of(who: str, page: Page) -> dict[str, str]:
    """Names and paths of a person's pages; `page` is theirs."""
    plain, linked = EVERYWHERE[who]
    return {**plain, **{name: follow(page, *way) for name, way in linked.items()}}


def enter(page: Page, who: str) -> None:
    """One tap into the demo; a visitor stays outside."""
    if who == "visitor":
        return
    page.goto("/welcome")
    page.locator(f'form[action="/demo/{who}"] button').click()
    page.wait_for_url(lambda url: "/welcome" not in url)
