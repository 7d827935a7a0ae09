"""Signing keys behind an interface; public keys by key id. The file driver is for development."""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SEED_BYTES = 32


class Signer(Protocol):
    """An Ed25519 key that never shows itself."""

    @property
    def key_id(self) -> str: ...

    @property
    def public_key(self) -> bytes:
        """Raw, 32 bytes."""
        ...

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        ...


class FileSigner:
    """A key in a file of mode 0600, made on first use. The name says what the key is for."""

    def __init__(self, folder: Path, name: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(_seed(folder / f"{name}.key"))
        self._name = name

    @property
    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def key_id(self) -> str:
        """Name and the first 4 bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key), as in signed notes."""
        short = sha256(self._name.encode() + b"\n\x01" + self.public_key).digest()[:4]
        return f"{self._name}+{short.hex()}"

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def secret_key(folder: Path, name: str) -> bytes:
    """32 bytes for a keyed hash, in a file like a signer's. Refuses nothing; KeyFileError."""
    return _seed(folder / f"{name}.key")


class KeyFileError(Exception):
    """A private key file that others may read, or that is no key."""


def publish(path: Path, signer: Signer) -> None:
    """Add the signer's public key to the file at `path`; earlier keys stay for looking back."""
    keys = dict(published(path)) | {signer.key_id: signer.public_key}
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(msgspec.json.encode({k: v.hex() for k, v in sorted(keys.items())}))
        file.flush()
        os.fsync(file.fileno())  # a verdict whose key is lost in a crash can't be verified
    draft.replace(path)


def published(path: Path) -> Mapping[str, bytes]:
    """Raw public keys by key id; empty if nothing was published yet."""
    if not path.exists():
        return {}
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        return {key_id: bytes.fromhex(key) for key_id, key in found.items()}
    except ValueError:
        raise KeyFileError(f"{path}: no list of public keys") from None


def _seed(path: Path) -> bytes:
    """The key's 32 bytes. A new key appears under its name only when it is whole on disk."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.is_symlink() and not path.exists():
        _make(path)
    if path.is_symlink() or not path.is_file():
        raise KeyFileError(f"{path}: no plain file")
    if path.stat().st_mode & 0o077:
        raise KeyFileError(f"{path}: others may read this private key; it must have mode 0600")
    seed = path.read_bytes()
    if len(seed) != SEED_BYTES:
        raise KeyFileError(f"{path}: expected {SEED_BYTES} bytes, found {len(seed)}")
    return seed


def _make(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(SEED_BYTES))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):  # another process was faster: its key is the key
        os.link(draft, path)
    draft.unlink()
