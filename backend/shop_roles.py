"""Who may do what in a shop. Known to both systems, so it belongs to neither."""

from collections.abc import Mapping
from enum import StrEnum


class Permission(StrEnum):
    """A word that a refusal names and a page explains."""

    CHARGE = "charge"  # the till: orders, payment codes, the own shift
    REFUND = "refund"
    ORDERS = "orders"  # the list of orders, its sums and its CSV
    MONEY = "money"  # balance, settlement, reconciliation files
    STORES = "stores"  # stores, terminals, posters
    STAFF = "staff"  # invite, change and remove members
    PAYOUT = "payout"  # the card that settlements go to


class Role(StrEnum):
    OWNER = "owner"
    MANAGER = "manager"
    FINANCE = "finance"
    CASHIER = "cashier"
    AUDITOR = "auditor"


_ALL = frozenset(Permission)

ROLES: Mapping[Role, frozenset[Permission]] = {
    Role.OWNER: _ALL,
    Role.MANAGER: _ALL - {Permission.PAYOUT},
    Role.FINANCE: frozenset({Permission.REFUND, Permission.ORDERS, Permission.MONEY}),
    Role.CASHIER: frozenset({Permission.CHARGE}),
    Role.AUDITOR: frozenset({Permission.ORDERS, Permission.MONEY}),
}


def may(role: str, permission: Permission) -> bool:
    return permission in ROLES[Role(role)]
