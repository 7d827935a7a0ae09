"""Between machines, both sides show a certificate of our own authority, or nobody talks."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from ssl import SSLContext, SSLError, TLSVersion, create_default_context
from typing import Protocol

import aiohttp
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from backend import rpc
from backend.errors import OutcomeUnknown, Unavailable
from backend.rpc import wire
from backend.settings import Settings
from tests.ports import free_port


class Echo(Protocol):
    async def say(self, word: str) -> str: ...


class Parrot:
    def __init__(self) -> None:
        self.heard: list[str] = []

    async def say(self, word: str) -> str:
        self.heard.append(word)
        return word


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.key = folder, generate_private_key(SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(
            _sign(self.name, self.name, self.key, self.key, x509.BasicConstraints(True, None))
        )

    def issue(self, name: str) -> tuple[str, str]:
        """Paths of a certificate for 127.0.0.1 and of its key."""
        key, subject = (
            generate_private_key(SECP256R1()),
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        )
        address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
        certificate, private = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate.write_bytes(_sign(subject, self.name, key, self.key, address))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return str(certificate), str(private)


def _sign(
    subject: x509.Name,
    issuer: x509.Name,
    key: EllipticCurvePrivateKey,
    by: EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> bytes:
    now = datetime.now(UTC)  # noqa: TID251 — certificates are checked against the machine's clock
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(extension, critical=True)
    )
    return builder.sign(by, SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.fixture
def parrot() -> Parrot:
    return Parrot()


@pytest.fixture
async def server(authority: Authority, parrot: Parrot) -> AsyncIterator[Settings]:
    """Settings of a caller whose certificate is good, with the server running."""
    certificate, key = authority.issue("server")
    settings = Settings(
        ledger_rpc=f"https://127.0.0.1:{free_port()}",
        rpc_ca=str(authority.path),
        rpc_cert=certificate,
        rpc_key=key,
    )
    stop = await rpc.serve(Echo, parrot, settings.ledger_rpc, settings)
    certificate, key = authority.issue("client")
    yield msgspec.structs.replace(settings, rpc_cert=certificate, rpc_key=key)
    await stop()


async def say(settings: Settings) -> str:
    echo, client = rpc.connect(Echo, settings.ledger_rpc, settings)
    try:
        return await echo.say("hello")
    finally:
        await client.close()


async def test_both_sides_of_our_authority_talk(server: Settings) -> None:
    assert await say(server) == "hello"


async def test_a_caller_of_another_authority_is_refused(
    server: Settings, parrot: Parrot, tmp_path: Path
) -> None:
    """In TLS 1.3 the caller learns it only when it reads, so it can't know the outcome."""
    certificate, key = Authority(tmp_path, "theirs").issue("stranger")
    with pytest.raises((Unavailable, OutcomeUnknown)):
        await say(msgspec.structs.replace(server, rpc_cert=certificate, rpc_key=key))
    assert parrot.heard == []


async def test_a_server_of_another_authority_is_refused(server: Settings, tmp_path: Path) -> None:
    theirs = Authority(tmp_path, "theirs")
    with pytest.raises(Unavailable):
        await say(msgspec.structs.replace(server, rpc_ca=str(theirs.path)))


async def test_a_caller_without_certificate_gets_no_answer(
    server: Settings, parrot: Parrot
) -> None:
    assert await _post(server, create_default_context(cafile=server.rpc_ca)) is None
    assert parrot.heard == []
    assert await _post(server, wire.tls(server, server=False)) == 200


async def test_old_protocols_are_refused(server: Settings) -> None:
    context = wire.tls(server, server=False)
    context.minimum_version = context.maximum_version = TLSVersion.TLSv1_2
    assert await _post(server, context) is None


async def _post(server: Settings, context: SSLContext) -> int | None:
    body = wire.encode_calls([wire.Call("say", wire.pack(("hello",)))])
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:
        try:
            async with session.post(server.ledger_rpc + wire.PATH, data=body) as answer:
                return answer.status
        except (aiohttp.ClientError, SSLError):
            return None
