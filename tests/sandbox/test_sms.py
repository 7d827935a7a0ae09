"""The sandbox SMS takes each message once, shows it, and fails where it says it fails."""

import aiohttp
import pytest

from backend.sandbox import sms
from backend.settings import Settings

HELLO = {"message_id": "m-1", "to": "+8613800138000", "text": "您的验证码 <123456>"}


async def test_a_message_is_taken_once(http: aiohttp.ClientSession, sms_url: str) -> None:
    for _ in range(3):
        async with http.post(f"{sms_url}/messages", json=HELLO) as answer:
            assert answer.status == 200
    async with http.get(f"{sms_url}/messages.json", params={"to": HELLO["to"]}) as answer:
        [message] = await answer.json()
    assert message["text"] == HELLO["text"]


async def test_the_same_id_with_another_text_is_refused(
    http: aiohttp.ClientSession, sms_url: str
) -> None:
    async with http.post(f"{sms_url}/messages", json=HELLO):
        pass
    async with http.post(f"{sms_url}/messages", json=HELLO | {"text": "other"}) as answer:
        assert answer.status == 409


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"to": "+8613800130000"}, 503),
        ({"to": "13800138000"}, 400),
        ({"text": ""}, 400),
        ({"more": 1}, 400),
    ],
)
async def test_refusals(
    http: aiohttp.ClientSession, sms_url: str, change: dict[str, str], status: int
) -> None:
    async with http.post(f"{sms_url}/messages", json=HELLO | change) as answer:
        assert answer.status == status


async def test_the_page_shows_the_newest_first_and_nothing_runs_in_it(
    http: aiohttp.ClientSession, sms_url: str
) -> None:
    for number in range(3):
        body = HELLO | {"message_id": f"m-{number}", "text": f"text <{number}>"}
        async with http.post(f"{sms_url}/messages", json=body):
            pass
    async with http.get(f"{sms_url}/") as answer:
        text, policy = await answer.text(), answer.headers["Content-Security-Policy"]
    assert text.index("text &lt;2&gt;") < text.index("text &lt;0&gt;")
    assert "沙箱" in text
    assert 'http-equiv="refresh"' in text
    assert "default-src 'none'" in policy
    assert "script" not in policy


async def test_messages_survive_a_restart(http: aiohttp.ClientSession, places: Settings) -> None:
    stop = await sms.serve(places)
    async with http.post(f"{places.sms_url}/messages", json=HELLO):
        pass
    await stop()
    stop = await sms.serve(places)
    async with http.get(f"{places.sms_url}/messages.json") as answer:
        assert len(await answer.json()) == 1
    await stop()


async def test_it_listens_on_loopback_only(places: Settings) -> None:
    with pytest.raises(ValueError, match="loopback"):
        await sms.serve(Settings(data_dir=places.data_dir, sms_url="http://0.0.0.0:8003"))
