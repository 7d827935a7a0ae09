"""Passkeys: what a browser sent, verified by the library and by the checks it leaves to us."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography
from webauthn.helpers.cose import COSECRV, COSEAlgorithmIdentifier
from webauthn.helpers.structs import CredentialDeviceType

from backend.risk.refusals import PasskeyRefused

T = TypeVar("T")

ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
CURVES = {
    COSEAlgorithmIdentifier.ECDSA_SHA_256: COSECRV.P256,
    COSEAlgorithmIdentifier.EDDSA: COSECRV.ED25519,
}
MIN_RSA_BITS = 2048
FLAGS_AT = 32  # the byte of authenticatorData that follows the hash of the RP ID
BACKUP_ELIGIBLE = 0x08

# The library's decoder skips junk characters, so one credential would have many spellings.
Base64Url = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=16_384)]


class RelyingParty(msgspec.Struct, frozen=True):
    rp_id: str
    origins: tuple[str, ...]


class StoredCredential(msgspec.Struct, frozen=True):
    """What the registry keeps of a passkey. public_key: COSE."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    backup_eligible: bool
    backed_up: bool
    user_handle: bytes


class NewCredential(msgspec.Struct, frozen=True):
    credential_id: bytes
    public_key: bytes
    sign_count: int
    backup_eligible: bool
    backed_up: bool
    aaguid: str


class Asserted(msgspec.Struct, frozen=True):
    """After success. signals: "counter_regression", "backup_changed"; they refuse nothing."""

    sign_count: int
    backed_up: bool
    signals: tuple[str, ...]


class _Attestation(msgspec.Struct, frozen=True, rename="camel"):
    client_data_json: Base64Url = msgspec.field(name="clientDataJSON")
    attestation_object: Base64Url


class Registration(msgspec.Struct, frozen=True, rename="camel"):
    id: Base64Url
    raw_id: Base64Url
    type: str
    response: _Attestation


class _AssertionData(msgspec.Struct, frozen=True, rename="camel"):
    client_data_json: Base64Url = msgspec.field(name="clientDataJSON")
    authenticator_data: Base64Url
    signature: Base64Url
    user_handle: Base64Url | None = None


class Assertion(msgspec.Struct, frozen=True, rename="camel"):
    id: Base64Url
    raw_id: Base64Url
    type: str
    response: _AssertionData

    @property
    def credential_id(self) -> bytes:
        return from_base64url(self.id)


_registrations = msgspec.json.Decoder(Registration)
_assertions = msgspec.json.Decoder(Assertion)


def to_base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Refuses: PasskeyRefused, for every spelling but the canonical one."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        _refuse("base64url")
    return data if to_base64url(data) == text else _refuse("base64url")


def parse_assertion(response_json: bytes) -> Assertion:
    """The strict form, before anything is looked up. Refuses: PasskeyRefused."""
    return _parse(_assertions, response_json)


def verify_assertion(
    party: RelyingParty, challenge: bytes, assertion: Assertion, stored: StoredCredential
) -> Asserted:
    """Refuses: PasskeyRefused. Owner and ceremony are the caller's to check."""
    data = assertion.response
    _check_client_data(party, "webauthn.get", challenge, data.client_data_json)
    if assertion.credential_id != stored.credential_id:
        _refuse("credential")
    if data.user_handle is not None and from_base64url(data.user_handle) != stored.user_handle:
        _refuse("user_handle")
    flags = from_base64url(data.authenticator_data)[FLAGS_AT : FLAGS_AT + 1]
    from_base64url(data.signature)
    try:
        verified = verify_authentication_response(
            credential=msgspec.to_builtins(assertion),
            expected_challenge=challenge,
            expected_rp_id=party.rp_id,
            expected_origin=list(party.origins),
            credential_public_key=stored.public_key,
            # The library tests the counter before the signature: a forged low one would look
            # like a clone. It is compared below, once the signature holds.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as error:  # others than its own escape the library
        raise PasskeyRefused(why="verify") from error
    if bool(flags[0] & BACKUP_ELIGIBLE) != stored.backup_eligible:
        _refuse("backup_eligible")
    return Asserted(
        verified.new_sign_count,
        verified.credential_backed_up,
        _signals(stored, verified.new_sign_count, verified.credential_backed_up),
    )


def verify_registration(
    party: RelyingParty, challenge: bytes, response_json: bytes
) -> NewCredential:
    """Refuses: PasskeyRefused."""
    registration = _parse(_registrations, response_json)
    data = registration.response
    _check_client_data(party, "webauthn.create", challenge, data.client_data_json)
    from_base64url(registration.id)
    from_base64url(data.attestation_object)
    try:
        verified = verify_registration_response(
            credential=msgspec.to_builtins(registration),
            expected_challenge=challenge,
            expected_rp_id=party.rp_id,
            expected_origin=list(party.origins),
            require_user_verification=True,
            supported_pub_key_algs=ALGORITHMS,
        )
        sound = _sound_key(verified.credential_public_key)
    except Exception as error:
        raise PasskeyRefused(why="verify") from error
    if not sound or to_base64url(verified.credential_id) != registration.id:
        _refuse("credential")
    return NewCredential(
        verified.credential_id,
        verified.credential_public_key,
        verified.sign_count,
        verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        verified.credential_backed_up,
        verified.aaguid,
    )


def _parse(decoder: msgspec.json.Decoder[T], response_json: bytes) -> T:
    try:
        return decoder.decode(response_json.decode())  # msgspec skims unknown members as bytes
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        _refuse("form")


def _check_client_data(party: RelyingParty, kind: str, challenge: bytes, text: str) -> None:
    """The library takes crossOrigin and topOrigin as they come; we serve no page in a frame."""
    try:
        data = json.loads(from_base64url(text).decode(), object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        _refuse("client_data")
    if not isinstance(data, dict) or data.get("type") != kind:
        _refuse("type")
    if data.get("challenge") != to_base64url(challenge):
        _refuse("challenge")
    if data.get("origin") not in party.origins:
        _refuse("origin")
    if data.get("crossOrigin", False) is not False or "topOrigin" in data:
        _refuse("cross_origin")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _sound_key(public_key: bytes) -> bool:
    """A point on the curve that its algorithm names, or a long enough modulus."""
    decoded = decode_credential_public_key(public_key)
    key = decoded_public_key_to_cryptography(decoded)
    if isinstance(key, RSAPublicKey):
        return key.key_size >= MIN_RSA_BITS
    return getattr(decoded, "crv", None) == CURVES[decoded.alg]


def _signals(stored: StoredCredential, sign_count: int, backed_up: bool) -> tuple[str, ...]:
    counting = sign_count > 0 or stored.sign_count > 0
    return tuple(
        name
        for name, seen in (
            ("counter_regression", counting and sign_count <= stored.sign_count),
            ("backup_changed", backed_up != stored.backed_up),
        )
        if seen
    )


def _refuse(why: str) -> NoReturn:
    raise PasskeyRefused(why=why)
