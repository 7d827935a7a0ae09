"""Who the demo's people are. Their ids are made from their names, so making them again is safe."""

from uuid import NAMESPACE_URL, uuid5

import msgspec
from typeid import TypeID
from uuid_utils import UUID

from backend.shop_roles import Role

_BASE = "https://yipay.example/demo/"


def fixed_id(prefix: str, name: str) -> str:
    """The same TypeID for the same name, wherever and whenever. Version 7's bits are set, so that
    it passes for any other id; its time says nothing."""
    raw = bytearray(uuid5(NAMESPACE_URL, f"{_BASE}{prefix}/{name}").bytes)
    raw[6] = (raw[6] & 0x0F) | 0x70
    return str(TypeID.from_uuid(UUID(bytes=bytes(raw)), prefix=prefix))


class DemoPerson(msgspec.Struct, frozen=True):
    """card: a test number of the sandbox bank, "" for none. topup_fen: at the week's beginning."""

    name: str
    display_name: str
    phone: str
    card: str = ""
    topup_fen: int = 0

    @property
    def person_id(self) -> str:
        return fixed_id("usr", self.name)


class Place(msgspec.Struct, frozen=True):
    """A store of the demo's shop, by its number, and the names of its tills."""

    name: str
    address: str
    tills: tuple[str, ...]


CONSUMER = DemoPerson("consumer", "演示用户 小易", "+8613900000001", "6225880000058801", 1_000_00)
OWNER = DemoPerson("owner", "演示店主 茶茶", "+8613900000002")
MANAGER = DemoPerson("manager", "演示店长 阿茉", "+8613900000007")
CASHIER = DemoPerson("cashier", "演示收银员 小满", "+8613900000008")
GUESTS = (
    DemoPerson("guest-1", "演示顾客 小橙", "+8613900000003", "6217000000098802", 500_00),
    DemoPerson("guest-2", "演示顾客 小竹", "+8613900000004", "6222000000018803", 500_00),
    DemoPerson("guest-3", "演示顾客 小麦", "+8613900000005", "6225880000028804", 500_00),
    DemoPerson("guest-4", "演示顾客 小蓝", "+8613900000006", "6217000000068805", 500_00),
)
CUSTOMERS = (CONSUMER, *GUESTS)

SHOP_ID = fixed_id("mch", "shop")
SHOP_NAME, SHOP_CATEGORY = "易茶铺", "food"

STORES = (  # the first is the one that every shop begins with
    Place("湖滨店", "", ("1 号台", "2 号台")),
    Place("滨江店", "杭州市滨江区江南大道 66 号", ("外带窗口",)),
)
TILLS = tuple((number, name) for number, store in enumerate(STORES) for name in store.tills)
"""The number of its store and its name, of every till."""

STAFF: tuple[tuple[DemoPerson, Role, int | None], ...] = (
    (MANAGER, Role.MANAGER, None),
    (CASHIER, Role.CASHIER, 0),
)
"""Who works there, as what, in which store by number (None = all)."""

ROLES = {"consumer": CONSUMER, "shop": OWNER, "cashier": CASHIER, "manager": MANAGER}
"""Who can be entered with one tap."""
