"""A browser as far as pages can tell: cookies, fetch metadata, forms with hidden fields."""

import json
from html.parser import HTMLParser
from typing import Any

import httpx
import msgspec

from tests.passkey import Passkey

# Cookies are all Secure, so the tests speak https; which origin is ours is a setting.
BASE = "https://localhost"
COOKIE_DOMAIN = "localhost.local"  # as Python's cookie jar calls it
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
NAVIGATION = {
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Accept-Language": "en",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0.0.0 Safari/537.36",
}


def client_of(app: Any, address: str = "203.0.113.7") -> httpx.AsyncClient:
    """A client of an ASGI app in this process, as if calling from that address."""
    transport = httpx.ASGITransport(app, client=(address, 1234))
    return httpx.AsyncClient(transport=transport, base_url=BASE)


class Form(msgspec.Struct):
    """attributes of the form; fields: what it would send."""

    attributes: dict[str, str]
    fields: dict[str, str]

    @property
    def action(self) -> str:
        return self.attributes.get("action", "")


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given, {}))
        elif tag == "input" and self.forms and "name" in given:
            self.forms[-1].fields[given["name"]] = given.get("value", "")


def forms(html: str) -> list[Form]:
    parser = _Forms()
    parser.feed(html)
    return parser.forms


class Browser:
    """One person's browser. `page` is the last answer."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.page = httpx.Response(200, text="")

    async def open(self, path: str, **headers: str) -> httpx.Response:
        self.page = await self.client.get(path, headers=NAVIGATION | _named(headers))
        return await self._follow()

    def form(self, action: str) -> Form:
        """The first form of the page that goes there."""
        found = [form for form in forms(self.page.text) if form.action == action]
        assert found, f"no form to {action} in {self.page.url}"
        return found[0]

    async def send(self, action: str, fields: dict[str, str] | None = None) -> httpx.Response:
        """Submit a form of the page, filled in."""
        filled = self.form(action).fields | (fields or {})
        self.page = await self.client.post(action, data=filled, headers=NAVIGATION)
        return await self._follow()

    async def ceremony(
        self, action: str, key: Passkey, fields: dict[str, str] | None = None
    ) -> httpx.Response:
        """What passkey.js does with a form of the page."""
        form = self.form(action)
        filled = form.fields | (fields or {})
        begun = await self.begin(form.attributes["data-begin"], filled)
        assert begun.status_code == 200, begun.text
        answer: dict[str, Any] = begun.json()
        options = json.dumps(answer["options"]).encode()
        signs = key.register if form.attributes["data-passkey"] == "register" else key.sign
        response = signs(options).decode()
        return await self.send(
            action, filled | {"ceremony_id": answer["ceremony_id"], "response_json": response}
        )

    async def begin(self, address: str, fields: dict[str, str]) -> httpx.Response:
        headers = {
            "Sec-Fetch-Site": "same-origin",
            "Accept": "application/json",
            "Accept-Language": "en",
            "X-YiPay": "1",
            "x-csrftoken": fields["_csrf_token"],
        }
        return await self.client.post(address, data=fields, headers=headers)

    async def _follow(self) -> httpx.Response:
        answer = self.page
        while answer.status_code == 303:
            self.page = answer = await self.client.get(
                answer.headers["location"], headers=NAVIGATION
            )
        return answer


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
