"""Access tokens of phones: short-lived, for one key, signed by the face's own key.

A token says who signed in, when and on which device; whether the session still lives is asked of
its row at every call. Times are those of the clock given: the JWT library would ask the machine.
"""

from datetime import timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from backend import ids
from backend.clock import Clock
from backend.errors import DomainError
from backend.keys import FileSigner, Signer

KEY = "access"
LIFE = timedelta(minutes=5)
MAX_AHEAD_S = 5  # between the clocks of servers
MAX_TOKEN_CHARS = 2048
REMEMBERED = 4096  # good tokens; a bad one is never kept
ALGORITHM, TYPE = "EdDSA", "at+jwt"
AMR = ("pop", "user")  # RFC 8176: a key in the device, and its owner's finger or code

Second = Annotated[int, msgspec.Meta(ge=0, lt=2**40)]


class TokenInvalid(DomainError, code="token_invalid"):
    """The access token is none of ours, has ended, or belongs to another key: get a new one."""


class Confirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """jkt: thumbprint of the one key that may use the token."""

    jkt: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{43}\Z")]


class Access(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a token claims. Every claim is required, and there are no others."""

    iss: str
    aud: str
    sub: ids.Id  # the person
    sid: ids.Id  # the session
    jti: ids.Id
    iat: Second
    exp: Second
    auth_time: Second  # of the passkey
    amr: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    cnf: Confirmation
    dev: ids.Id  # the device


class Grantee(msgspec.Struct, frozen=True, kw_only=True):
    """For whom a token is made. auth_time: Unix seconds."""

    person_id: str
    session_id: str
    device_id: str
    thumbprint: str
    auth_time: int


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: Literal["EdDSA"]
    typ: Literal["at+jwt"]


class _OfSigner(OKPAlgorithm):
    """EdDSA with a key that never shows itself."""

    def prepare_key(self, key: Any) -> Any:
        return key

    def sign(self, msg: str | bytes, key: Any) -> bytes:
        signer: Signer = key
        return signer.sign(msg.encode() if isinstance(msg, str) else msg)


class AccessTokens:
    """issuer: our public origin; the JSON face under it is the audience."""

    def __init__(self, keys: Path, issuer: str, clock: Clock) -> None:
        self._keys, self._clock = keys, clock
        self.issuer, self.audience = issuer, f"{issuer}/api"
        self._jws = jwt.PyJWS(algorithms=[])
        self._jws.register_algorithm(ALGORITHM, _OfSigner())
        # A phone shows the same one for five minutes; only its time has to be looked at again.
        self._known = lru_cache(maxsize=REMEMBERED)(self._signed)

    @cached_property
    def _signer(self) -> FileSigner:
        """Made on first use: only who serves phones needs it."""
        return FileSigner(self._keys, KEY)

    @cached_property
    def _public(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self._signer.public_key)

    def issue(self, grantee: Grantee) -> str:
        now = int(self._clock.now().timestamp())
        access = Access(
            iss=self.issuer,
            aud=self.audience,
            sub=grantee.person_id,
            sid=grantee.session_id,
            jti=ids.new("tok"),
            iat=now,
            exp=now + int(LIFE.total_seconds()),
            auth_time=grantee.auth_time,
            amr=AMR,
            cnf=Confirmation(grantee.thumbprint),
            dev=grantee.device_id,
        )
        payload = msgspec.json.encode(access)
        return self._jws.encode(payload, self._signer, ALGORITHM, {"typ": TYPE})  # type: ignore[arg-type]

    def read(self, token: str) -> Access:
        """Of this moment. Whose key it is bound to is for the caller to compare. Refuses:
        TokenInvalid."""
        if len(token) > MAX_TOKEN_CHARS:
            raise TokenInvalid()
        access = self._known(token)
        now = int(self._clock.now().timestamp())
        ours = (access.iss, access.aud) == (self.issuer, self.audience)
        if not ours or not access.iat - MAX_AHEAD_S <= now < access.exp:
            raise TokenInvalid()
        return access

    def _signed(self, token: str) -> Access:
        """What it claims, if its form and our signature hold. Refuses: TokenInvalid."""
        try:
            found = self._jws.decode_complete(token, self._public, [ALGORITHM])
            msgspec.convert(found["header"], _Header)
            return msgspec.json.decode(found["payload"], type=Access)
        except (jwt.PyJWTError, msgspec.MsgspecError, ValueError):
            raise TokenInvalid() from None
