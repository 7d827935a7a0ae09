"""The module's face on PostgreSQL."""

from backend.friends import Asked, Found, Friend, Group, GroupMember
from backend.friends.bonds import Bonds, decline, met
from backend.friends.finds import Finds
from backend.friends.groups import Groups
from backend.friends.links import Links
from backend.friends.parts import Parts
from backend.friends.requests import Requests


class FriendsService:
    def __init__(self, parts: Parts) -> None:
        self._clock = parts.clock
        self._bonds, self._finds, self._links = Bonds(parts), Finds(parts), Links(parts)
        self._requests = Requests(parts, self._bonds, self._finds, self._links)
        self._groups = Groups(parts, self._bonds, self._links)

    async def find(self, person_id: str, phone: str) -> Found:
        return await self._finds.find(person_id, phone)

    async def count_find(self, person_id: str) -> None:
        await self._finds.count(person_id)

    async def ask(self, request_id: str, person_id: str, to: str, message: str) -> None:
        await self._requests.ask(request_id, person_id, to, message)

    async def ask_person(
        self, request_id: str, person_id: str, other_id: str, message: str
    ) -> None:
        await self._requests.ask_person(request_id, person_id, other_id, message)

    async def asked(self, person_id: str) -> tuple[Asked, ...]:
        return await self._requests.asked(person_id)

    async def withdraw(self, person_id: str, request_id: str) -> None:
        await self._requests.withdraw(person_id, request_id)

    async def link(self, person_id: str) -> str:
        return await self._links.make(person_id)

    async def linked(self, secret: str) -> str:
        return await self._links.owner(secret)

    async def withdraw_links(self, person_id: str) -> None:
        await self._links.withdraw_own(person_id)

    async def friends(self, person_id: str) -> tuple[Friend, ...]:
        return await self._bonds.all(person_id)

    async def friend(self, person_id: str, friend_id: str) -> Friend:
        return await self._bonds.one(person_id, friend_id)

    async def are_friends(self, person_id: str, other_id: str) -> bool:
        return await self._bonds.are_friends(person_id, other_id)

    async def blocked_between(self, person_id: str, other_id: str) -> bool:
        return await self._bonds.blocked_between(person_id, other_id)

    async def blocked_among(self, person_id: str, others: tuple[str, ...]) -> frozenset[str]:
        return await self._bonds.blocked_among(person_id, others)

    async def met(self, pairs: tuple[tuple[str, str], ...]) -> None:
        await met(pairs)

    async def accept(self, person_id: str, friend_id: str) -> Friend:
        return await self._bonds.accept(person_id, friend_id)

    async def decline(self, person_id: str, friend_id: str) -> None:
        await decline(person_id, friend_id, self._clock.now())

    async def set_remark(self, person_id: str, friend_id: str, remark: str) -> Friend:
        return await self._bonds.set_remark(person_id, friend_id, remark)

    async def block(self, person_id: str, friend_id: str, blocked: bool) -> None:
        if blocked:
            await self._bonds.block(person_id, friend_id)
        else:
            await self._bonds.unblock(person_id, friend_id)

    async def remove(self, person_id: str, friend_id: str) -> None:
        await self._bonds.remove(person_id, friend_id)

    async def new_group(self, group_id: str, person_id: str, name: str) -> Group:
        return await self._groups.make(group_id, person_id, name)

    async def groups(self, person_id: str) -> tuple[Group, ...]:
        return await self._groups.of(person_id)

    async def group(self, person_id: str, group_id: str) -> Group:
        return await self._groups.group(person_id, group_id)

    async def members(self, person_id: str, group_id: str) -> tuple[GroupMember, ...]:
        return await self._groups.members(person_id, group_id)

    async def is_member(self, person_id: str, group_id: str) -> bool:
        return await self._groups.is_member(person_id, group_id)

    async def invite_link(self, person_id: str, group_id: str) -> str:
        return await self._groups.invite(person_id, group_id)

    async def withdraw_invites(self, person_id: str, group_id: str) -> None:
        await self._groups.withdraw_invites(person_id, group_id)

    async def invited(self, secret: str) -> Group:
        return await self._groups.invited(secret)

    async def join_group(self, person_id: str, secret: str) -> Group:
        return await self._groups.join(person_id, secret)

    async def add_to_group(self, person_id: str, group_id: str, friend_id: str) -> None:
        await self._groups.add(person_id, group_id, friend_id)

    async def leave_group(self, person_id: str, group_id: str) -> None:
        await self._groups.leave(person_id, group_id)
