"""Knocking at the phone's door with anything at all."""

from typing import Any

import httpx

from backend import ids
from mobile_api.auth import CHALLENGE
from tests.mobile_api.problem import is_problem
from tests.phone import API, Phone

ME = "/v1/me"


async def ask(phone: Phone, **claims: Any) -> httpx.Response:
    """Who am I, with one try."""
    return await send(phone, proofs=[phone.prove("GET", ME, b"", True, **claims)])


async def send(
    phone: Phone,
    path: str = ME,
    *,
    method: str = "GET",
    content: bytes = b"",
    proofs: list[str] | None = None,
    authorization: str | None = None,
) -> httpx.Response:
    """Anything at all."""
    said = proofs if proofs is not None else [phone.prove(method, path, content, True)]
    given = f"DPoP {phone.access_token}" if authorization is None else authorization
    headers = [("Authorization", given)] if given else []
    headers += [("DPoP", proof) for proof in said]
    headers += [("Idempotency-Key", ids.new("key"))]
    headers += [("Content-Type", "application/json")] if content else []
    return await phone.client.request(method, API + path, content=content, headers=headers)


def refused(answer: httpx.Response, code: str, error: str, why: str = "") -> None:
    """error: "" where there was nothing to be wrong (RFC 6750 §3.1)."""
    body = is_problem(answer, 401, code)
    told = f'{CHALLENGE}, error="{error}"' if error else CHALLENGE
    assert answer.headers["www-authenticate"] == told
    assert why in body["detail"]
    assert body["money_moved"] == "no"
