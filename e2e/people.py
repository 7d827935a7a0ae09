"""A person at a browser: a context of their own, and a passkey in a virtual authenticator."""

import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    BrowserType,
    CDPSession,
    Page,
    Playwright,
)

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}

# Half-faded text has no contrast. What turns for ever is not waited for.
SETTLED = """() => Promise.race([
  new Promise((late) => setTimeout(late, 1000)),
  Promise.all(document.getAnimations()
    .filter((a) => a.playState === "running" && a.effect?.getComputedTiming().endTime < Infinity)
    .map((a) => a.finished.catch(() => null))),
])"""

CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def settle(page: Page) -> None:
    """Until animations end, also those that begin with what was just changed."""
    page.evaluate(SETTLED)


def launch(playwright: Playwright, extra: tuple[str, ...] = ()) -> Browser:
    return launch_kind(playwright.chromium, extra)


def launch_kind(kind: BrowserType, extra: tuple[str, ...] = ()) -> Browser:
    """Playwright's own Chromium where it was downloaded, else the system's."""
    own = Path(kind.executable_path)
    system = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    path = str(own) if own.exists() else system
    assert path, "no Chromium: install Debian's package chromium"
    return kind.launch(executable_path=path, headless=True, args=[*CHROMIUM_OPTIONS, *extra])


class Visitor:
    """One person with one browser profile and one authenticator that verifies its user."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.context: BrowserContext = browser.new_context(
            base_url=url,
            locale=options.pop("locale", "zh-CN"),
            viewport=options.pop("viewport", PHONE),
            **options,
        )
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._note)
        self.cdp: CDPSession = self.context.new_cdp_session(self.page)
        self.cdp.send("WebAuthn.enable")
        self.authenticator = self.add_authenticator()

    def add_authenticator(self) -> str:
        answer = self.cdp.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "ctap2Version": "ctap2_1",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )
        return str(answer["authenticatorId"])

    def credentials(self) -> list[dict[str, Any]]:
        answer = self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.authenticator})
        return list(answer["credentials"])

    def take_over(self, other: "Visitor") -> None:
        """Copy the other's passkeys here, as a synced passkey provider does."""
        for credential in other.credentials():
            self.cdp.send(
                "WebAuthn.addCredential",
                {"authenticatorId": self.authenticator, "credential": credential},
            )

    def play(self, rate: float) -> None:
        """How fast what moves on the page moves; 0: it waits to be looked at."""
        self.cdp.send("Animation.enable")
        self.cdp.send("Animation.setPlaybackRate", {"playbackRate": rate})

    def override(self, **bits: bool) -> None:
        """isBogusSignature, isBadUV, isBadUP of the next ceremonies."""
        self.cdp.send(
            "WebAuthn.setResponseOverrideBits", {"authenticatorId": self.authenticator, **bits}
        )

    def close(self) -> None:
        self.context.close()

    def _note(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)
