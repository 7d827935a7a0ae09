"""The way one-time codes leave: a gateway behind an interface."""

from typing import Protocol

import aiohttp
import structlog

from backend.risk.refusals import SmsUnavailable

SEND_TIMEOUT_S = 5
TRIES = 2  # with the same message id, so that a lost answer sends nothing twice

_log = structlog.get_logger(__name__)


class SmsGateway(Protocol):
    async def send(self, message_id: str, to: str, text: str) -> None:
        """Once per message_id. Refuses: SmsUnavailable."""
        ...


class HttpSms:
    """POST {url}/messages {"message_id", "to", "text"}; any answer below 300 is a success."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/messages"

    async def send(self, message_id: str, to: str, text: str) -> None:
        body = {"message_id": message_id, "to": to, "text": text}
        timeout = aiohttp.ClientTimeout(total=SEND_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for left in reversed(range(TRIES)):
                try:
                    async with session.post(self._url, json=body) as response:
                        if response.ok:
                            return
                        _log.warning("sms_refused", status=response.status)
                except (aiohttp.ClientError, TimeoutError) as error:
                    _log.warning("sms_unreachable", error=type(error).__name__, left=left)
        raise SmsUnavailable()
