"""Private keys: made once, readable by their owner alone. Public keys: added, never lost."""

from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from backend.keys import FileSigner, KeyFileError, publish, published


def test_a_key_is_made_once_and_signs(tmp_path: Path) -> None:
    signer = FileSigner(tmp_path / "keys", "verdict")
    Ed25519PublicKey.from_public_bytes(signer.public_key).verify(signer.sign(b"m"), b"m")
    again = FileSigner(tmp_path / "keys", "verdict")
    assert (again.key_id, again.public_key) == (signer.key_id, signer.public_key)
    assert FileSigner(tmp_path / "keys", "bank").public_key != signer.public_key


def test_the_key_id_is_that_of_signed_notes(tmp_path: Path) -> None:
    signer = FileSigner(tmp_path, "verdict")
    digest = sha256(b"verdict" + b"\n" + b"\x01" + signer.public_key).hexdigest()
    assert signer.key_id == f"verdict+{digest[:8]}"


def test_files_and_folder_are_private(tmp_path: Path) -> None:
    FileSigner(tmp_path / "keys", "verdict")
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "keys" / "verdict.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    FileSigner(tmp_path, "verdict")
    (tmp_path / "verdict.key").chmod(mode)
    with pytest.raises(KeyFileError, match="others may read this private key"):
        FileSigner(tmp_path, "verdict")


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_damaged_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "verdict.key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match="expected 32 bytes"):
        FileSigner(tmp_path, "verdict")
    assert path.read_bytes() == content


def test_a_link_to_another_file_is_refused(tmp_path: Path) -> None:
    FileSigner(tmp_path / "theirs", "verdict")
    (tmp_path / "ours").mkdir(mode=0o700)
    (tmp_path / "ours" / "verdict.key").symlink_to(tmp_path / "theirs" / "verdict.key")
    with pytest.raises(KeyFileError, match="no plain file"):
        FileSigner(tmp_path / "ours", "verdict")


def test_published_keys_stay_when_new_ones_come(tmp_path: Path) -> None:
    path = tmp_path / "public" / "verdict.json"
    assert published(path) == {}
    old, new = FileSigner(tmp_path / "old", "verdict"), FileSigner(tmp_path / "new", "verdict")
    for signer in (old, new, old):
        publish(path, signer)
    assert published(path) == {old.key_id: old.public_key, new.key_id: new.public_key}


def test_a_damaged_file_of_public_keys_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    path.write_text('{"verdict+00": "not hexadecimal"}')
    with pytest.raises(KeyFileError, match=r"verdict\.json: no list of public keys"):
        published(path)
