"""Where the data goes, what it is called, and who may know which password."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from backend import postgres
from backend.settings import Settings
from backend.supervisor import home as homes
from backend.supervisor import plan
from backend.supervisor.errors import UpError
from backend.supervisor.home import Home
from tests.conftest import PASSWORD

is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has system users to keep out")


@pytest.fixture
def home(short_path: Path) -> Home:
    found = homes.find(Settings(data_dir=str(short_path / "data")))
    homes.make(found)
    return found


def test_folders_are_made_closed(home: Home) -> None:
    assert home.folder.stat().st_mode & 0o066 == 0
    for name in ("log", "run", "keys", "public"):
        assert (home.folder / name).stat().st_mode & 0o777 == 0o700


def test_an_existing_folder_keeps_its_mode(short_path: Path) -> None:
    (short_path / "data").mkdir(mode=0o755)
    homes.make(homes.find(Settings(data_dir=str(short_path / "data"))))
    assert (short_path / "data").stat().st_mode & 0o777 == 0o755


@is_root
def test_a_closed_folder_is_never_opened(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a checkout in root's home: data and binaries go where PostgreSQL's users may go."""
    closed, elsewhere = short_path / "closed", short_path / "elsewhere"
    closed.mkdir(mode=0o700)
    elsewhere.mkdir(mode=0o755)
    elsewhere.chmod(0o755)
    monkeypatch.setattr(homes, "SYSTEM_DATA", elsewhere)
    found = homes.find(Settings(data_dir=str(closed / "data")))
    homes.make(found)
    assert found.folder.parent == elsewhere
    assert str(closed) in found.remark
    assert found.binaries.is_relative_to(found.folder)
    assert homes.closed_folder(found.binaries / "postgres") is None
    assert found.cluster("tx").initialise(PASSWORD) is True
    assert closed.stat().st_mode & 0o777 == 0o700
    assert list(closed.iterdir()) == []
    assert homes.find(Settings(data_dir=str(closed / "data"))) == found


@is_root
def test_an_open_folder_is_used_as_it_is(short_path: Path) -> None:
    found = homes.find(Settings(data_dir=str(short_path / "data")))
    if homes.closed_folder(postgres.BIN) is None:
        assert found == Home(short_path / "data", postgres.BIN)


def test_two_at_once_are_refused(home: Home) -> None:
    words = rf"in use by another `yipay up` \(pid {os.getpid()}\)"
    with homes.locked(home), pytest.raises(UpError, match=words), homes.locked(home):
        pass
    with homes.locked(home):  # free again
        pass


def test_each_system_has_passwords_of_its_own(home: Home) -> None:
    tx, sec = homes.passwords(home, "tx"), homes.passwords(home, "sec")
    assert homes.passwords(home, "tx") == tx
    assert not set(tx.values()) & set(sec.values())
    assert len(set(tx.values())) == len(tx) == 5
    for system in ("tx", "sec"):
        path = home.passwords(system)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent == home.folder / system


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.chmod(0o644), "others may read these passwords"),
        (lambda path: path.write_text("{"), "not a list of passwords"),
    ],
)
def test_damaged_passwords_are_refused(home: Home, damage: object, words: str) -> None:
    homes.passwords(home, "tx")
    damage(home.passwords("tx"))  # type: ignore[operator]
    with pytest.raises(UpError, match=words):
        homes.passwords(home, "tx")


def test_lost_passwords_of_kept_data_are_refused(home: Home) -> None:
    (home.folder / "tx" / "data").mkdir(parents=True)
    with pytest.raises(UpError, match="missing; the data beside it can't be opened"):
        homes.passwords(home, "tx")


def test_urls_of_a_system_are_given_all_or_none() -> None:
    with pytest.raises(UpError, match="YIPAY_LEDGER_URL: missing"):
        homes.embedded(Settings(tx_url="postgresql://yipay_app:x@db/yipay_tx"), "tx")
    assert homes.embedded(Settings(), "tx")


def test_own_servers_are_left_alone(home: Home) -> None:
    urls = {url: f"postgresql://{role}:x@db/x" for url, role in homes.URLS["tx"].items()}
    given = msgspec.convert(urls, Settings)
    assert not homes.embedded(given, "tx")
    assert homes.completed(given, home).tx_url == given.tx_url
    assert homes.completed(given, home).sec_url == ""


def test_a_deep_folder_has_its_sockets_elsewhere() -> None:
    with TemporaryDirectory(prefix="yp") as name:
        deep = Home(Path(name) / ("d" * 90), postgres.BIN)
        settings = homes.completed(Settings(), deep)
        assert len(os.fsencode(settings.ledger_rpc.removeprefix("unix:"))) < 107


def test_a_part_is_told_only_what_it_needs(home: Home) -> None:
    for system in ("tx", "sec"):
        homes.passwords(home, system)
    settings = homes.completed(Settings(demo=True), home)
    urls = {url for urls in homes.URLS.values() for url in urls}
    assert all(getattr(settings, url) for url in urls)
    keys = set()
    for name in plan.NAMES:
        told = plan.environment(settings, name)
        known = {url for url in urls if told[f"YIPAY_{url.upper()}"]}
        assert known == set(homes.KNOWS[name]), name
        keys.add(told["YIPAY_KEYS_DIR"])
    assert len(keys) == len(plan.NAMES)
    owners = {url for url in urls if url.endswith("owner_url")}
    assert not owners & {url for known in homes.KNOWS.values() for url in known}
    assert not {"tx_url", "ledger_url", "tx_owner_url"} & set(homes.KNOWS["risk"])
    assert "sec_url" not in homes.KNOWS["bff"]


def test_a_part_alone_completes_only_its_own(home: Home) -> None:
    for system in ("tx", "sec"):
        homes.passwords(home, system)
    found = homes.completed(Settings(), home, homes.KNOWS["bff"])
    given = {name for name, value in msgspec.structs.asdict(found).items() if value}
    assert {name for name in given if name.endswith("_url")} == {"tx_url", "sms_url", "bank_url"}
