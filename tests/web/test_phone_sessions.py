"""Sessions of apps on the security page of the web."""

from backend import ids
from backend.db import TX
from backend.identity import OpenPhoneSession
from tests.web.conftest import SignedUp
from tests.world import World


async def test_an_app_is_listed_and_signed_out_from_the_web(
    signed_up: SignedUp, world: World
) -> None:
    browser, _ = await signed_up()
    [person] = await TX.query("select person_id from identity.person")
    identity = world.services.identity
    app = await identity.open_phone_session(
        OpenPhoneSession(
            person_id=person["person_id"],
            device_id=ids.new("dev"),
            label="Pixel 9",
            thumbprint="k" * 43,
        )
    )
    page = await browser.open("/security")
    assert "Pixel 9" in page.text
    await browser.send(f"/sessions/{app.session.session_id}/end")
    assert "end_codes" in world.risk.calls  # its payment codes are dead too
    assert "Pixel 9" not in (await browser.open("/security")).text
    assert [s.phone for s in await identity.sessions(person["person_id"])] == [False]
