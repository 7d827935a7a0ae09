"""What somebody was told."""

from backend.notices import Notice
from tests.world import Wallet, World


async def told(world: World, wallet: Wallet) -> list[Notice]:
    """Unread ones, newest first."""
    page = await world.services.notices.page(wallet.person_id, "", 100)
    return [notice for notice in page.notices if not notice.read]


async def kinds(world: World, wallet: Wallet) -> list[str]:
    return [notice.kind for notice in await told(world, wallet)]
