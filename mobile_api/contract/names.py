"""Ids of operations, made of method and path: POST /v1/payments/{payment_id}/confirm is
confirmPayment, GET /v1/bills listBills. They are names in clients: a path that stays keeps its."""

import re

VERBS = {"POST": "create", "PUT": "put", "PATCH": "update", "DELETE": "delete"}
ACTIONS = frozenset(
    {
        "accept", "cancel", "confirm", "decline", "join", "open", "parse", "preview", "read",
        "recall", "refresh", "remind", "reveal", "reverse", "undo", "withdraw",
    }
)  # fmt: skip
PHRASES = {
    "POST /v1/sign-in": "signIn",
    "POST /v1/sign-out": "signOut",
    "POST /v1/freeze": "freeze",
    "POST /v1/freeze/undo": "unfreeze",
    "POST /v1/approvals": "beginApproval",
    "POST /v1/devices": "addDevice",
    "POST /v1/devices/{device_id}/removal": "removeDevice",
    "POST /v1/enrolments/{enrolment_id}/code": "checkEnrolmentCode",
    "POST /v1/enrolments/{enrolment_id}/device": "finishEnrolment",
    "POST /v1/friend-lookups": "findFriend",
    "POST /v1/payees": "findPayee",
    "POST /v1/seats": "takeSeat",
    "POST /v1/shop/state": "setShopState",
    "POST /v1/till/charges": "chargePaymentCode",
    "POST /v1/notices/read": "readNotices",
    "GET /v1/events": "followEvents",
    "GET /v1/shop/events": "followShopEvents",
}


def operation_id(method: str, path: str, *, is_list: bool) -> str:
    known = PHRASES.get(f"{method} {path}")
    if known:
        return known
    parts = [part for part in path.removeprefix("/v1/").split("/") if part]
    words = [part for part in parts if not part.startswith("{")]
    plural = method != "POST" and not parts[-1].startswith("{")  # all of them, as they are called
    if method == "POST" and words[-1] in ACTIONS:
        return _camel([words[-1], *_nouns(words[:-1], parts)])
    verb = VERBS.get(method, "list" if is_list else "get")
    return _camel([verb, *_nouns(words, parts, plural=plural)])


def _nouns(words: list[str], parts: list[str], *, plural: bool = False) -> list[str]:
    """One of each, but for the last of a list."""
    if not words:
        return []
    last = words[-1] if plural else _one(words[-1])
    return [*(_one(word) for word in words[:-1]), last]


def _one(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith("ches"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _camel(words: list[str]) -> str:
    flat = [part for word in words for part in re.split(r"[-_.]", word)]
    return flat[0] + "".join(part.capitalize() for part in flat[1:])


def schema_name(name: str) -> str:
    """ "mobile_api.requests.RequestView" is RequestsRequestView."""
    *modules, last = name.split(".")
    kept = [module for module in modules if module not in {"mobile_api", "backend"}]
    return "".join(_camel(["", module]) for module in kept) + last
