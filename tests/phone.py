"""A virtual phone: a device key and a passkey of its own, and every ceremony done for real.

    phone = Phone(client, inbox=codes)            # over ASGI in tests, over TCP under load
    await phone.enrol("+8613812345678", "安娜")
    payment = await phone.api.create_payment({"order": …})      # derived from the contract
    payment = await phone.agreed(payment, "confirm_payment", payment_id=payment["id"])
    answer = await phone.post("/v1/payments", {"order": …})     # any path, any body
    answer = await phone.consent(answer)          # with the passkey, where it takes one

Nothing on the server knows that it isn't a phone. `clock` is the phone's own and may be wrong;
`origin` is what the server calls itself; `lose` drops an answer on its way.
"""

import json
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import httpx

from backend.clock import Clock, SystemClock
from tests.api_client import ApiClient
from tests.device_key import DeviceKey, b64
from tests.passkey import Passkey

API = "/api"
EARLY = timedelta(seconds=30)  # a token is renewed this long before it ends
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})

Inbox = Callable[[str], Awaitable[str]]


class AnswerLost(Exception):
    """The server did it, and the phone never heard."""


class Phone:
    """One device of one person. Attributes may be changed between calls, to misbehave."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        inbox: Inbox | None = None,
        language: str = "zh-CN",
        origin: str = "http://localhost:8000",
        clock: Clock | None = None,
        alg: str = "ES256",
    ) -> None:
        self.client, self.inbox, self.language, self.origin = client, inbox, language, origin
        self.clock: Clock = clock or SystemClock()
        self.skew = timedelta()
        self.key, self.passkey = DeviceKey(alg), Passkey(origin=origin)
        self.person_id = self.name = self.number = ""
        self.access_token = self.refresh_token = self.nonce = ""
        self.expires_at = self.now()
        self.lose = 0  # so many answers to come are lost
        self.claims: dict[str, Any] = {}  # of the proofs, instead of the right ones
        self.last_proof = ""
        self.api = ApiClient(self)

    def now(self) -> datetime:
        """As this phone's clock has it."""
        return self.clock.now() + self.skew

    # doors

    async def enrol(self, number: str, name: str = "安娜") -> None:
        """Open a wallet: number, code from the inbox, passkey and device key in one ceremony."""
        assert self.inbox is not None
        begun = await self.api.create_enrolment({"phone": number})
        proven = {"code": await self.inbox(number)}
        await self.api.check_enrolment_code(proven, enrolment_id=begun["id"])
        asked = {"display_name": name}
        told = await self.api.create_enrolment_ceremony(asked, enrolment_id=begun["id"])
        self.number, self.name = number, name
        ceremony, does = told["ceremony"], self.passkey.register
        await self._finish("finish_enrolment", ceremony, does, asked, enrolment_id=begun["id"])

    async def sign_in(self) -> None:
        """With the passkey; a device key that is new here is bound to a device by it."""
        begun = await self.api.create_sign_in_ceremony()
        await self._finish("sign_in", begun["ceremony"], self.passkey.sign, {})

    async def join(self, grant: str) -> None:
        """As a further device of a person, with the grant of an older one."""
        begun = await self.api.create_device_ceremony({"grant": grant})
        await self._finish("add_device", begun["ceremony"], self.passkey.register, {})

    async def make_first_passkey(self) -> None:
        """Of a person who has none any more: this phone's own."""
        begun = await self.api.create_device_first_ceremony()
        await self._finish("add_device", begun["ceremony"], self.passkey.register, {})

    async def refresh(self) -> None:
        answer = await self.try_refresh()
        assert answer.status_code == 200, answer.text
        self.keep(answer.json())

    async def try_refresh(self) -> httpx.Response:
        return await self.api.answer("refresh_token", {"refresh_token": self.refresh_token})

    def keep(self, tokens: dict[str, Any]) -> None:
        """The tokens of an answer."""
        self.access_token, self.refresh_token = tokens["access_token"], tokens["refresh_token"]
        self.expires_at = self.now() + timedelta(seconds=tokens["expires_in"])

    # calls

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.call("GET", path, params=params)

    async def post(self, path: str, json: Any = None, key: str | None = None) -> httpx.Response:
        return await self.call("POST", path, json, key=key)

    async def put(self, path: str, json: Any = None, key: str | None = None) -> httpx.Response:
        return await self.call("PUT", path, json, key=key)

    async def patch(self, path: str, json: Any = None, key: str | None = None) -> httpx.Response:
        return await self.call("PATCH", path, json, key=key)

    async def delete(self, path: str, json: Any = None, key: str | None = None) -> httpx.Response:
        return await self.call("DELETE", path, json, key=key)

    async def done(self, answering: Awaitable[httpx.Response]) -> Any:
        """The body of an answer that must be a success."""
        answer = await answering
        assert answer.is_success, f"{answer.request.url.path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: dict[str, Any] | None = None,
        key: str | None = None,
        signed_in: bool = True,
        **claims: Any,
    ) -> httpx.Response:
        """One request with token, proof and Idempotency-Key; once more if a nonce is wanted."""
        if signed_in and self.refresh_token and self.now() > self.expires_at - EARLY:
            await self.refresh()
        content = body if isinstance(body, bytes) else _json(body)
        headers = {"Accept-Language": self.language}
        if method in UNSAFE:
            headers["Idempotency-Key"] = f'"{key or uuid.uuid4()}"'
        if content:
            headers["Content-Type"] = "application/json"
        if signed_in and self.access_token:
            headers["Authorization"] = f"DPoP {self.access_token}"
        for _ in range(2):
            headers["DPoP"] = self.prove(method, path, content, signed_in, **claims)
            answer = await self.client.request(
                method, API + path, content=content, params=params, headers=headers
            )
            self.nonce = answer.headers.get("DPoP-Nonce", self.nonce)
            if not wants_nonce(answer):
                break
        if self.lose:
            self.lose -= 1
            raise AnswerLost(path)
        return answer

    def prove(self, method: str, path: str, content: bytes, signed_in: bool, **claims: Any) -> str:
        said: dict[str, Any] = {
            "ath": hashed(self.access_token.encode()) if signed_in and self.access_token else None,
            "bsh": hashed(content) if content else None,
            "nonce": self.nonce or None,
        }
        self.last_proof = self.key.proof(
            method,
            self.origin + API + path,
            self.now().timestamp(),
            **said | claims | self.claims,
        )
        return self.last_proof

    async def open_post(self, path: str, body: Any) -> dict[str, Any]:
        """A step of somebody who isn't signed in."""
        answer = await self.call("POST", path, body, signed_in=False)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        found: dict[str, Any] = answer.json()
        return found

    # consent

    async def consent(self, answer: httpx.Response, key: str | None = None) -> httpx.Response:
        """What the answer asks for, with the passkey; the answer itself where nothing is asked."""
        assert answer.is_success, f"{answer.request.url.path}: {answer.status_code} {answer.text}"
        thing = answer.json()
        requirement = thing.get("requirement")
        if not requirement or not requirement.get("ceremony"):
            return answer
        path = answer.request.url.path.removeprefix(API).removesuffix("/ceremony")
        where = path if path.endswith(thing["id"]) else f"{path}/{thing['id']}"
        signed = self.signed(requirement["ceremony"])
        return await self.post(f"{where}/confirm", signed, key)

    def signed(self, ceremony: dict[str, Any]) -> dict[str, Any]:
        """The body of a confirmation."""
        response = self.passkey.sign(json.dumps(ceremony["options"]).encode())
        return {"ceremony_id": ceremony["id"], "response": json.loads(response)}

    async def approved(self, purpose: str) -> dict[str, Any]:
        """The body of a change of security settings that takes the passkey."""
        begun = await self.api.begin_approval({"purpose": purpose})
        return self.signed(begun["ceremony"])

    async def agreed(self, thing: dict[str, Any], confirm: str, **ids: str) -> dict[str, Any]:
        """What became of the thing after this operation, if it asks for the passkey."""
        requirement = thing.get("requirement")
        if not requirement or not requirement.get("ceremony"):
            return thing
        signed = self.signed(requirement["ceremony"])
        confirmed: dict[str, Any] = await getattr(self.api, confirm)(signed, **ids)
        return confirmed

    async def _finish(
        self,
        operation: str,
        ceremony: dict[str, Any],
        does: Callable[[bytes], bytes],
        more: dict[str, Any],
        **ids: str,
    ) -> None:
        """The challenge stands in the proof too: passkey and device key are bound together."""
        options = ceremony["options"]
        response = json.loads(does(json.dumps(options).encode()))
        body = more | {"ceremony_id": ceremony["id"], "response": response, "label": "Pixel 9"}
        bound = {"chl": options["challenge"]}
        self.keep(await getattr(self.api, operation)(body, proof=bound, **ids))
        me = await self.api.get_me()
        self.person_id, self.name = me["id"], me["name"]


def _json(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


def hashed(data: bytes) -> str:
    return b64(sha256(data).digest())


def wants_nonce(answer: httpx.Response) -> bool:
    return answer.status_code == 401 and "use_dpop_nonce" in answer.headers.get(
        "WWW-Authenticate", ""
    )
