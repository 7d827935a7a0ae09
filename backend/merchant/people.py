"""A shop's people. The security system has the last word on who belongs to it, in which role: it
is asked first, and what is written here after it heals from it. Names and stores are ours."""

from contextlib import suppress
from datetime import datetime
from hashlib import sha256

import msgspec

from backend.db import TX
from backend.errors import BadRequest, NotFound, OutcomeUnknown, Unavailable
from backend.merchant import MAX_MEMBERS, Change, Invite, Invited, Member, Seat, TooMany
from backend.merchant import acts as told
from backend.merchant.parts import Parts
from backend.merchant.seats import Seats
from backend.merchant.shops import Shops, find
from backend.merchant.stores import Stores
from backend.payments.parts import risk_at_hand
from backend.risk import (
    AlreadyMember,
    Approval,
    Ceremony,
    ChangeMember,
    InvitationInvalid,
    InviteMember,
    MemberForbidden,
    ShopMember,
)
from backend.shop_roles import Role

NOBODY = ""  # who acted is not known here; the security system's own record says it

_MEMBER = "person_id, name, role, store_id, joined_at"


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What we keep of an invitation."""

    invitation_id: str
    shop_id: str
    store_id: str
    person_id: str  # who began to join with it last, "" for nobody


class People:
    def __init__(self, parts: Parts, shops: Shops, stores: Stores, seats: Seats) -> None:
        self._risk, self._identity, self._clock = parts.risk, parts.identity, parts.clock
        self._shops, self._stores, self._seats = shops, stores, seats

    async def members(self, seat: Seat) -> tuple[Member, ...]:
        """Healed from the security system's registry where it answers."""
        ours = await _members(seat.shop_id)
        # Ours was read first: who is written here was in the registry before.
        with suppress(Unavailable, OutcomeUnknown):
            await self._heal(seat.shop_id, ours, await self._risk.members(seat.shop_id))
        return await _members(seat.shop_id)

    async def begin_inviting(self, seat: Seat, role: Role, store_id: str) -> Ceremony:
        asked = await self._invitation(seat, "", role, store_id, "")
        with risk_at_hand():
            return await self._risk.begin_approval(seat.person_id, asked.purpose)

    async def begin_changing(
        self, seat: Seat, member_id: str, role: Role | None, store_id: str
    ) -> Ceremony:
        _, asked = await self._change(seat, member_id, role, store_id, "")
        with risk_at_hand():
            return await self._risk.begin_approval(seat.person_id, asked.purpose)

    async def invite(self, seat: Seat, invite: Invite) -> Invited:
        asked = await self._invitation(
            seat, invite.invitation_id, invite.role, invite.store_id, invite.device_secret
        )
        if len(await _members(seat.shop_id)) >= MAX_MEMBERS:
            raise TooMany(limit=MAX_MEMBERS)
        await self._shops.found(seat, invite.device_secret)
        with risk_at_hand():
            given = await self._risk.invite_member(invite.approval, asked)
        now = self._clock.now()
        async with TX.transaction():
            await TX.query(
                "insert into merchant.invitation (invitation_id, shop_id, role, store_id,"
                " secret_hash, expires_at, created_at) values ($1, $2, $3, $4, $5, $6, $7)"
                " on conflict (invitation_id) do update"
                " set secret_hash = excluded.secret_hash, expires_at = excluded.expires_at",
                given.invitation_id,
                seat.shop_id,
                asked.role.value,
                asked.store_id,
                _hash(given.secret),
                given.expires_at,
                now,
            )
            ref = given.invitation_id
            await told.tell_once(seat, "member_invited", ref, ref, now)
        return Invited(
            invitation_id=given.invitation_id,
            shop_name=seat.shop_name,
            role=given.role,
            store_id=asked.store_id,
            secret=given.secret,
            expires_at=given.expires_at,
        )

    async def invitation(self, secret: str) -> Invited:
        kept = await _kept(secret)
        with risk_at_hand():
            found = await self._risk.invitation(secret)
        shop = await find(kept.shop_id)
        ours = (kept.invitation_id, kept.shop_id, kept.store_id)
        if shop is None or (found.invitation_id, found.shop_id, found.store_id) != ours:
            raise InvitationInvalid()
        return Invited(
            invitation_id=found.invitation_id,
            shop_name=shop.name,
            role=found.role,
            store_id=kept.store_id,
            secret=secret,
            expires_at=found.expires_at,
        )

    async def begin_joining(self, person_id: str, secret: str) -> Ceremony:
        found = await self.invitation(secret)
        await TX.query(
            "update merchant.invitation set person_id = $2 where invitation_id = $1",
            found.invitation_id,
            person_id,
        )
        with risk_at_hand():
            return await self._risk.begin_approval(person_id, f"join_shop:{found.invitation_id}")

    async def join(self, approval: Approval, secret: str) -> Seat:
        kept = await _kept(secret)
        with risk_at_hand():
            try:
                joined = await self._risk.join_shop(approval, secret)
            except (AlreadyMember, InvitationInvalid):
                if not await self._joined_already(kept, approval.person_id):
                    raise
                return await self._seats.take(approval.person_id, kept.shop_id)
        if joined.shop_id != kept.shop_id:
            raise InvitationInvalid()
        await self._write(joined, kept.store_id)
        return await self._seats.take(joined.person_id, joined.shop_id)

    async def change(self, seat: Seat, change: Change) -> None:
        member, asked = await self._change(
            seat, change.member_id, change.role, change.store_id, change.device_secret
        )
        await self._shops.found(seat, change.device_secret)
        await self._change_there(change.approval, asked)
        now = self._clock.now()
        async with TX.transaction():
            if asked.role is None:
                left = await _leave(seat.shop_id, asked.member_id, now)
                kinds = ["member_removed"] if left else []
            else:
                kinds = await _place(seat.shop_id, member, asked.role, asked.store_id)
            for kind in kinds:
                await told.tell(seat.shop_id, seat.person_id, kind, asked.member_id, now)

    async def _invitation(
        self, seat: Seat, invitation_id: str, role: Role, store_id: str, device_secret: str
    ) -> InviteMember:
        """Refuses: BadRequest, NotFound."""
        if role is Role.OWNER:
            raise BadRequest()
        await self._stores.check_known(seat, store_id)
        by, store_id = seat.person_id, _store_of(role, store_id)
        return InviteMember(invitation_id, seat.shop_id, by, device_secret, role, store_id)

    async def _change(
        self, seat: Seat, member_id: str, role: Role | None, store_id: str, device_secret: str
    ) -> tuple[Member, ChangeMember]:
        """Refuses: NotFound, MemberForbidden."""
        member = await _member(seat.shop_id, member_id)
        if member is None:
            raise NotFound()
        if Role.OWNER in (member.role, role):
            raise MemberForbidden()
        await self._stores.check_known(seat, store_id)
        by, store_id = seat.person_id, _store_of(role, store_id)
        return member, ChangeMember(seat.shop_id, member_id, by, device_secret, role, store_id)

    async def _change_there(self, approval: Approval, change: ChangeMember) -> None:
        with risk_at_hand():
            try:
                await self._risk.change_member(approval, change)
            except NotFound:  # removed there, and a call stopped before it was written here
                if change.role is not None:
                    await _leave(change.shop_id, change.member_id, self._clock.now())
                    raise

    async def _joined_already(self, kept: _Kept, person_id: str) -> bool:
        """Whether the call is a repeated one, or one that stopped before it was written here."""
        known = await self._risk.members(kept.shop_id)
        mine = [member for member in known if member.person_id == person_id]
        if not mine:
            return False
        if await _member(kept.shop_id, person_id) is None:
            await self._write(mine[0], kept.store_id)
            return True
        return kept.person_id == person_id

    async def _heal(
        self, shop_id: str, ours: tuple[Member, ...], known: tuple[ShopMember, ...]
    ) -> None:
        if not known:  # a shop that the security system does not know yet
            return
        theirs = {member.person_id: member for member in known}
        written = {member.person_id: member for member in ours}
        for member in ours:
            found = theirs.get(member.person_id)
            if found is None or found.role != member.role:
                await self._follow(shop_id, member, found)
        for person_id, found in theirs.items():
            if person_id not in written:
                await self._write(found, await _asked_store(shop_id, person_id))

    async def _follow(self, shop_id: str, member: Member, found: ShopMember | None) -> None:
        """Changed there, and the call stopped before it was told here by whom."""
        now = self._clock.now()
        async with TX.transaction():
            if found is None:
                kinds = ["member_removed"] if await _leave(shop_id, member.person_id, now) else []
            else:
                kinds = await _place(shop_id, member, found.role, member.store_id)
            for kind in kinds:
                await told.tell(shop_id, NOBODY, kind, member.person_id, now)

    async def _write(self, joined: ShopMember, store_id: str) -> None:
        person = await self._identity.person(joined.person_id)
        now = self._clock.now()
        async with TX.transaction():
            made = await TX.query(
                "insert into merchant.member"
                " (shop_id, person_id, name, role, store_id, joined_at, seated_at)"
                " values ($1, $2, $3, $4, $5, $6, $6) on conflict (shop_id, person_id) do update"
                " set name = excluded.name, role = excluded.role, store_id = excluded.store_id,"
                " joined_at = excluded.joined_at, left_at = null"
                " where member.left_at is not null returning person_id",
                joined.shop_id,
                joined.person_id,
                person.display_name,
                joined.role.value,
                _store_of(joined.role, store_id),
                now,
            )
            if made:
                kind, ref = "member_joined", joined.person_id
                await told.tell(joined.shop_id, joined.person_id, kind, ref, now)


async def _members(shop_id: str) -> tuple[Member, ...]:
    found = await TX.query_as(
        Member,
        f"select {_MEMBER} from merchant.member"  # noqa: S608
        " where shop_id = $1 and left_at is null order by joined_at, person_id",
        shop_id,
    )
    return tuple(found)


async def _member(shop_id: str, person_id: str) -> Member | None:
    return await TX.one(
        Member,
        f"select {_MEMBER} from merchant.member"  # noqa: S608
        " where shop_id = $1 and person_id = $2 and left_at is null",
        shop_id,
        person_id,
    )


async def _leave(shop_id: str, person_id: str, at: datetime) -> bool:
    gone = await TX.query(
        "update merchant.member set left_at = $3"
        " where shop_id = $1 and person_id = $2 and left_at is null and role <> 'owner'"
        " returning person_id",
        shop_id,
        person_id,
        at,
    )
    return bool(gone)


async def _place(shop_id: str, member: Member, role: Role, store_id: str) -> list[str]:
    """What changed, as kinds of acts."""
    store_id = _store_of(role, store_id)
    await TX.query(
        "update merchant.member set role = $3, store_id = $4"
        " where shop_id = $1 and person_id = $2 and left_at is null",
        shop_id,
        member.person_id,
        role.value,
        store_id,
    )
    changed = {"member_role_changed": role != member.role}
    changed["member_store_changed"] = store_id != member.store_id
    return [kind for kind, is_so in changed.items() if is_so]


async def _kept(secret: str) -> _Kept:
    """Refuses: InvitationInvalid."""
    kept = await TX.one(
        _Kept,
        "select invitation_id, shop_id, store_id, person_id from merchant.invitation"
        " where secret_hash = $1",
        _hash(secret),
    )
    if kept is None:
        raise InvitationInvalid()
    return kept


async def _asked_store(shop_id: str, person_id: str) -> str:
    """The store of the invitation that the person began to join with."""
    rows = await TX.query(
        "select store_id from merchant.invitation where shop_id = $1 and person_id = $2"
        " order by created_at desc, invitation_id desc limit 1",
        shop_id,
        person_id,
    )
    return str(rows[0]["store_id"]) if rows else ""


def _store_of(role: Role | None, store_id: str) -> str:
    """Only cashiers are bound to a store."""
    return store_id if role is Role.CASHIER else ""


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
