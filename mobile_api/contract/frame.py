"""What every operation shares: headers, the security scheme, the words at the beginning."""

from collections.abc import Iterable
from typing import Any, Protocol

from backend.idempotency import MAX_KEY_CHARS, MIN_KEY_CHARS
from mobile_api import version
from mobile_api.idempotent import SAFE_METHODS

INFO = """\
The wallet for native apps. Money is whole fen with a currency, times are RFC 3339 in UTC, ids are
opaque, lists are pages with an opaque cursor.

**Who calls.** Every call carries `Authorization: DPoP <access token>` and a proof `DPoP` (RFC
9449) signed by the phone's own key: `typ` `dpop+jwt`, `htm`, `htu`, `iat` within 60 s, `jti`,
`ath`, our `nonce` (it comes with every answer in `DPoP-Nonce`; without one the answer is 401
`use_dpop_nonce`), and `bsh`, the base64url SHA-256 of the body, where there is one. Access tokens
live five minutes; refresh tokens are bound to the key and change with every use.

**Writes run once.** Every write takes an `Idempotency-Key` (Internet-Draft 07, still a draft): 16
to 255 printable characters that nobody can guess, best a UUID. Sent again within 30 days, the
first answer comes back bit for bit, with `Idempotent-Replayed: true`. The same key with another
content is 422, while the first runs 409. Refusals of the input, 401, 429 and what is `retryable`
are not kept; the same key then goes on where it stood.

**Answers that are made again.** Some answers are secrets or live for minutes: links, invitations,
payment codes, fresh ceremonies. They are not kept. Sent again with the same `Idempotency-Key` these
make a new one, and nothing else happens twice: {made_again}.

**Writes without a key** answer with secrets too, or only read. What they take (a code, a ceremony,
a grant, a token) is spent at once, so that none of them does anything twice. Where the answer was
lost, begin that step again; what was shown and not used ends by itself. Sign-out sent again is 401
`signed_out`: it is done. These are: {without_key}.

**Failures** are problems (RFC 9457) with a stable `code`; `title`, `detail` and `todo` are in the
person's language. `retryable`: the same request may succeed later; with the same Idempotency-Key
it never runs twice. `money_moved` is `no` or `unknown`. `errors` names all fields at once.

**Input is strict:** unknown fields, numbers as text, bodies over 64 KB are refused. Answers are
not closed: clients must ignore members they don't know and accept further values of texts that
name a state.

**Versions.** `YiPay-Version` is a date. What only adds comes without a new one. What ends says so
in `Deprecation` (RFC 9745) and `Sunset` (RFC 8594), at least twelve months before.

**Limits** are told in `RateLimit` and `RateLimit-Policy` (draft 11); on 429 wait for
`Retry-After`. Answers to GET carry an `ETag`; with `If-None-Match` what has not changed is 304.
Packed with zstd or gzip."""

SCHEME = {
    "type": "http",
    "scheme": "DPoP",
    "description": "An access token bound to the phone's key, with a proof in the header DPoP.",
}

HEADERS: dict[str, Any] = {
    "Request-Id": {"description": "Of this request, for questions.", "schema": {"type": "string"}},
    "YiPay-Version": {
        "description": "The version that answered.",
        "schema": {"type": "string", "format": "date"},
    },
    "RateLimit": {
        "description": 'What is left, draft 11: `"person";r=599;t=42`.',
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": 'How much there is: `"person";q=600;w=60`.',
        "schema": {"type": "string"},
    },
    "ETag": {"description": "For If-None-Match.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "`true`: the first answer to this key, once more.",
        "schema": {"type": "string", "const": "true"},
    },
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {
        "description": "Why, in the words of RFC 6750 and RFC 9449.",
        "schema": {"type": "string"},
    },
    "DPoP-Nonce": {"description": "For the next proofs.", "schema": {"type": "string"}},
}
PARAMETERS: dict[str, Any] = {
    "DPoP": {
        "name": "DPoP",
        "in": "header",
        "required": True,
        "description": "The proof for this very request.",
        "schema": {"type": "string", "minLength": 1},
        "example": "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7…",
    },
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "One for each new write, the same to repeat it. With or without quotes.",
        "schema": {
            "type": "string",
            "minLength": MIN_KEY_CHARS,
            "maxLength": MAX_KEY_CHARS,
            "pattern": "^[!#-~]+$",
        },
        "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
    },
    "YiPay-Version": {
        "name": "YiPay-Version",
        "in": "header",
        "required": False,
        "description": "The version that the client was written for.",
        "schema": {"type": "string", "enum": list(version.VERSIONS)},
    },
    "Accept-Language": {
        "name": "Accept-Language",
        "in": "header",
        "required": False,
        "description": "Of texts to somebody who is not signed in: zh-CN or en.",
        "schema": {"type": "string"},
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "required": False,
        "description": "ETags of answers that the phone has.",
        "schema": {"type": "string"},
    },
}
UNCHANGED = {
    "description": "Not changed",
    "headers": {"ETag": {"$ref": "#/components/headers/ETag"}},
}


class Described(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def is_open(self) -> bool: ...
    @property
    def is_once(self) -> bool: ...
    @property
    def is_made_again(self) -> bool: ...
    @property
    def is_proven(self) -> bool: ...


def header_parameters(operation: Described) -> list[dict[str, str]]:
    names = ["DPoP"] if operation.is_proven else []
    names += ["Idempotency-Key"] if operation.is_once else []
    names += ["YiPay-Version"]
    names += ["Accept-Language"] if operation.is_open else []
    names += ["If-None-Match"] if operation.method == "GET" else []
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def answer_headers(operation: Described) -> dict[str, Any]:
    names = ["Request-Id", "YiPay-Version", "RateLimit", "RateLimit-Policy"]
    names += ["ETag"] if operation.method == "GET" else []
    names += ["Idempotent-Replayed"] if operation.is_once and not operation.is_made_again else []
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def words(found: Iterable[Described]) -> str:
    """The words at the beginning, with the writes that are not as the others."""
    writes = [each for each in found if each.method not in SAFE_METHODS]
    made_again = [each.name for each in writes if each.is_once and each.is_made_again]
    without_key = [each.name for each in writes if not each.is_once]
    told = INFO.replace("{made_again}", _list(made_again))
    return told.replace("{without_key}", _list(without_key))


def _list(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def whole(
    paths: dict[str, Any], shared: dict[str, Any], tags: list[dict[str, str]], said: str
) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "易支付 YiPay", "version": version.API_VERSION, "description": said},
        "servers": [{"url": "/api"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": {"phone": SCHEME},
            "parameters": PARAMETERS,
            "headers": HEADERS,
            **shared,
        },
    }
