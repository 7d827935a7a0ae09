"""DPoP proofs (RFC 9449): what a phone signs for each request with the key that never leaves it.

Pure: no clock, no table. Whose key it is, and whether the proof is for this request, is for the
callers to say; whether this very text was seen before is decided by (thumbprint, jti), never by the
text.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from jwt import PyJWTError
from jwt.algorithms import get_default_algorithms

from backend.clock import to_ms

MAX_SKEW_S = 60
MAX_PROOF_CHARS = 4096
REMEMBERED = 1024  # proofs: the security system is shown one several times in a request
KEYS_REMEMBERED = 4096

T = TypeVar("T")

_TEXT = re.compile(r"[A-Za-z0-9_-]+")
_ED25519_PRIME = 2**255 - 19
# Anybody can sign for a key of small order: these are the heights of such points.
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _ED25519_PRIME - 1,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    }
)

Hash = Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9_-]{43})?\Z")]


class ProofInvalid(ValueError):
    """Says which rule was broken, in one word; never shows the proof."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A proof whose form and signature hold. jwk: the public key, as in RFC 7638: its SHA-256 is
    the thumbprint. "" for claims that are not there."""

    thumbprint: str
    jwk: bytes
    jti: str
    htm: str
    htu: str  # without query and fragment
    iat: int  # seconds
    ath: str = ""  # base64url SHA-256 of the access token
    nonce: str = ""
    bsh: str = ""  # base64url SHA-256 of the body
    chl: str = ""  # base64url challenge of the passkey ceremony that it belongs to

    def is_fresh(self, now: datetime) -> bool:
        return abs(to_ms(now) - self.iat * 1000) <= MAX_SKEW_S * 1000


class _EcKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In the order of RFC 7638."""

    crv: Literal["P-256"]
    kty: Literal["EC"]
    x: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{43}\Z")]
    y: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{43}\Z")]


class _OkpKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    crv: Literal["Ed25519"]
    kty: Literal["OKP"]
    x: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{43}\Z")]


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    typ: Literal["dpop+jwt"]
    alg: Literal["ES256", "EdDSA"]  # the key says which; they must agree
    jwk: dict[str, Any]


class _Claims(msgspec.Struct, frozen=True):
    """Claims that we don't know are nobody's business: a client may add some. All of ours is
    ASCII, as addresses are: what comes out of `read` can be written anywhere."""

    jti: Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,128}\Z")]
    htm: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{1,16}\Z")]
    htu: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^https?://[A-Za-z0-9.\[\]:_-]+(/[\x21\x22\x24-\x3e\x40-\x7e]*)?\Z",
            max_length=1024,
        ),
    ]
    iat: Annotated[int, msgspec.Meta(ge=0, lt=2**40)]
    ath: Hash = ""
    nonce: Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]*\Z", max_length=256)] = ""
    bsh: Hash = ""
    chl: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]*\Z", max_length=128)] = ""


_ALGORITHMS = {name: get_default_algorithms()[name] for name in ("ES256", "EdDSA")}


@lru_cache(maxsize=REMEMBERED)
def read(text: str) -> Proof:
    """Its form, and its signature by the key in it. The same text is always the same proof, so it
    is checked once. Raises ProofInvalid."""
    if len(text) > MAX_PROOF_CHARS:
        raise ProofInvalid("too_long")
    head, claims, message, signature = parts(text)
    header = _convert(_object(head), _Header, "header")
    if header.alg != ("ES256" if header.jwk.get("kty") == "EC" else "EdDSA"):
        raise ProofInvalid("algorithm")
    key = canonical_key(header.jwk)
    if not is_signed(header.alg, key, message, signature):
        raise ProofInvalid("signature")
    claimed = _convert(_object(claims), _Claims, "claims")
    return Proof(thumbprint=thumbprint(key), jwk=key, **msgspec.structs.asdict(claimed))


def parts(text: str) -> tuple[bytes, bytes, bytes, bytes]:
    """Header, payload, what was signed, and the signature. Raises ProofInvalid: each has one
    spelling, unpadded and canonical."""
    pieces = text.split(".")
    if len(pieces) != 3:
        raise ProofInvalid("form")
    head, payload, signature = (_bytes(piece) for piece in pieces)
    return head, payload, f"{pieces[0]}.{pieces[1]}".encode(), signature


def canonical_key(jwk: dict[str, Any]) -> bytes:
    """The public key alone, members in order, no spaces. Raises ProofInvalid: private parts, other
    members, other kinds of key, points that are none."""
    if jwk.get("kty") == "EC":
        key = _convert(jwk, _EcKey, "key")
        for coordinate in (key.x, key.y):
            _bytes(coordinate)
        return msgspec.json.encode(key)
    edwards = _convert(jwk, _OkpKey, "key")
    height = int.from_bytes(_bytes(edwards.x), "little") % 2**255
    if height >= _ED25519_PRIME or height in _SMALL_ORDER:
        raise ProofInvalid("key")
    return msgspec.json.encode(edwards)


def thumbprint(jwk: bytes) -> str:
    """RFC 7638, of a canonical key: 43 characters of base64url."""
    return _base64url(sha256(jwk).digest())


def is_signed(algorithm: str, jwk: bytes, message: bytes, signature: bytes) -> bool:
    """Raises ProofInvalid where the key is not on its curve."""
    try:
        return _ALGORITHMS[algorithm].verify(message, _public_key(algorithm, jwk), signature)
    except (PyJWTError, ValueError) as error:
        raise ProofInvalid("key") from error


@lru_cache(maxsize=KEYS_REMEMBERED)
def _public_key(algorithm: str, jwk: bytes) -> Any:
    """Checking that a point is on its curve costs a third of checking a signature by it."""
    return _ALGORITHMS[algorithm].from_jwk(jwk.decode())


def _bytes(text: str) -> bytes:
    if not _TEXT.fullmatch(text) or len(text) % 4 == 1:
        raise ProofInvalid("base64url")
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _base64url(data) != text:
        raise ProofInvalid("base64url")
    return data


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _object(data: bytes) -> dict[str, Any]:
    try:
        if b"\\u" in data:  # half of a pair is no text: nothing could encode it again
            msgspec.json.decode(data)
        found = json.loads(data.decode(), object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise ProofInvalid("json") from error
    if not isinstance(found, dict):
        raise ProofInvalid("json")
    return found


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _convert(found: dict[str, Any], kind: type[T], what: str) -> T:
    try:
        return msgspec.convert(found, kind, strict=True)
    except msgspec.ValidationError:
        raise ProofInvalid(what) from None
