"""Settings come from the environment, or the start stops with the variable's name."""

from datetime import timedelta

import msgspec
import pytest

from backend.clock import clock_for
from backend.settings import Settings, SettingsError, checked, load, to_environment


def test_nothing_set_gives_the_defaults() -> None:
    assert load({"PATH": "/bin", "HOME": "/"}) == Settings()


def test_what_is_set_is_taken() -> None:
    settings = load({"YIPAY_PORT": "9000", "YIPAY_DEMO": "true", "YIPAY_LOG_LEVEL": "debug"})
    assert (settings.port, settings.demo, settings.log_level) == (9000, True, "debug")


def test_apps_give_their_origins() -> None:
    digest = bytes(range(32))
    settings = load(
        {
            "YIPAY_ANDROID_APPS": f"cn.yipay.wallet:{digest.hex(':').upper()},"
            f"cn.yipay.beta:{digest.hex()},cn.yipay.beta:{'ff' * 32}",
            "YIPAY_APPLE_APPS": "ABCDE12345.cn.yipay.wallet,ABCDE12345.cn.yipay.beta",
            "YIPAY_PUBLIC_ORIGIN": "https://www.yipay.example",
            "YIPAY_RP_ID": "yipay.example",
        }
    )
    assert [(app.package, app.digest) for app in settings.android] == [
        ("cn.yipay.wallet", digest),
        ("cn.yipay.beta", digest),
        ("cn.yipay.beta", b"\xff" * 32),
    ]
    assert settings.origins == (
        "https://www.yipay.example",
        "android:apk-key-hash:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "android:apk-key-hash:__________________________________________8",
        "https://yipay.example",
    )
    assert load(to_environment(settings)) == settings
    assert Settings().origins == ("http://localhost:8000",)


def test_children_get_the_same_settings() -> None:
    settings = Settings(
        tx_url="postgresql://yipay_app:p%40ss@/yipay_tx?host=%2Ftmp", demo=True, port=81
    )
    assert load(to_environment(settings)) == settings
    assert load(to_environment(Settings())) == Settings()


@pytest.mark.parametrize("name", ["YIPAY_PROT", "YIPAY_", "YIPAY_TX_URI", "YIPAY_port"])
def test_unknown_variable_is_named(name: str) -> None:
    if name == "YIPAY_port":
        assert load({name: "9"}).port == 9
        return
    with pytest.raises(SettingsError, match=f"{name}: no such setting"):
        load({name: "1"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "http", "a port number"),
        ("PORT", "0", "a port number"),
        ("PORT", "70000", "a port number"),
        ("PORT", "80.5", "a port number"),
        ("DEMO", "perhaps", "true or false"),
        ("TX_URL", "mysql://x", "postgresql://"),
        ("LEDGER_RPC", "http://ledger:1", "unix:"),
        ("LEDGER_RPC", "unix:relative.sock", "unix:"),
        ("PUBLIC_ORIGIN", "https://pay.example/", "no path"),
        ("LOG_LEVEL", "loud", "debug, info"),
        ("ANDROID_APPS", "cn.yipay", "package:SHA-256"),
        ("ANDROID_APPS", f"yipay:{'a' * 64}", "package:SHA-256"),
        ("ANDROID_APPS", f"cn.yipay:{'a' * 63}", "package:SHA-256"),
        ("ANDROID_APPS", f"cn.易支付:{'a' * 64}", "package:SHA-256"),
        ("ANDROID_APPS", f"cn.y易:{'a' * 64}", "package:SHA-256"),
        ("ANDROID_APPS", f"cn.yipay:{'g' * 64}", "package:SHA-256"),
        ("ANDROID_APPS", f"cn.yipay:{'a' * 64}, cn.other:{'b' * 64}", "package:SHA-256"),
        ("ANDROID_APPS", f"cn.yipay:{'a' * 64},", "package:SHA-256"),
        ("ANDROID_APPS", f"cn.yipay:{'a' * 64}\n", "package:SHA-256"),
        ("ANDROID_APPS", f"cn.yipay:{':'.join(['AB'] * 31)}", "package:SHA-256"),
        ("APPLE_APPS", "cn.yipay.wallet", "TEAMID"),
        ("APPLE_APPS", "abcde12345.cn.yipay", "TEAMID"),
        ("APPLE_APPS", "ABCDE12345.", "TEAMID"),
        ("APPLE_APPS", "ABCDE12345.cn.yipay;x", "TEAMID"),
        ("DEMO_CLOCK_AHEAD_S", "tomorrow", "seconds"),
        ("DEMO_CLOCK_AHEAD_S", "-1", "seconds"),
        ("DEMO_CLOCK_AHEAD_S", "40000000", "seconds"),
        ("LOG_FORMAT", "xml", "json or console"),
    ],
)
def test_malformed_value_says_what_was_expected(name: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=f"YIPAY_{name}: expected .*{expected}"):
        load({f"YIPAY_{name}": value})


def test_the_message_keeps_the_value_to_itself() -> None:
    with pytest.raises(SettingsError) as raised:
        load({"YIPAY_TX_URL": "oracle://app:sesame@db"})
    assert "sesame" not in str(raised.value)


def test_every_setting_says_what_it_expects() -> None:
    for field in msgspec.structs.fields(Settings):
        assert field.type.__metadata__[0].description, field.name


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_demo_mode_stays_on_this_machine(host: str) -> None:
    with pytest.raises(SettingsError, match="YIPAY_DEMO: only with YIPAY_HOST on loopback"):
        load({"YIPAY_DEMO": "1", "YIPAY_HOST": host})


def test_only_a_demo_lives_ahead_of_its_time() -> None:
    with pytest.raises(SettingsError, match="YIPAY_DEMO_CLOCK_AHEAD_S: only with YIPAY_DEMO"):
        load({"YIPAY_DEMO_CLOCK_AHEAD_S": "1"})
    settings = load({"YIPAY_DEMO": "true", "YIPAY_DEMO_CLOCK_AHEAD_S": "86400"})
    ahead = clock_for(settings).now() - clock_for(Settings()).now()
    assert timedelta(hours=24) - timedelta(seconds=1) < ahead <= timedelta(hours=24)
    with pytest.raises(SettingsError, match="YIPAY_DEMO: only with YIPAY_HOST on loopback"):
        load(to_environment(msgspec.structs.replace(settings, host="192.0.2.1")))


def test_remote_parts_need_certificates() -> None:
    with pytest.raises(SettingsError, match="YIPAY_RPC_CERT: expected a PEM file"):
        checked(Settings(risk_rpc="https://risk:8443", rpc_ca="ca.pem"))
