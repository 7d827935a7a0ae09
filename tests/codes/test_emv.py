"""EMVCo payloads: public vectors, what is built is read back, and nothing odd gets through."""

import secrets
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.codes import account, emv
from backend.codes.crc16 import crc16
from backend.ids import new

VECTORS = Path(__file__).resolve().parents[3] / "shared/vectors/emvco_mpm/payloads.json"
FUZZED = 40_000
STRANGE = "0123456789099" + "０٣²\x00‮​\ud800最é·A*.,-:/?= \U0010ffff"

# The specification's own samples (product rules §5.2).
GOLDEN = (
    "00020101021229300012D156000000000510A93FO3230Q31280012D15600000001030812345678520441115802CN"
    "5914BEST TRANSPORT6007BEIJING64200002ZH0104最佳运输0202北京540523.725303156550201623303041234"
    "0603***0708A60086670902ME91320016A0112233449988770708123456786304A13A",
    "00020101021252044131153137210116372101160123456789ABCDE6010Phnom Penh5913Merchant Shop5802KH5"
    "40510.005303840622501081234567802090124444446304A0BA",
    "00020101021102160004hoge0104abcd520441115303156540523.7255020256035005802CN5914BEST TRANSPORT"
    "6007BEIJING6107123456762800205678900305098760505abcde0705klmno0805pqres0903tuv1004abcd5016000"
    "412340104ijkl64280002ZH0102北京0204最佳运输0304abcd65020080320016A0112233449988770708123456786"
    "3046325",
)
SOUND = GOLDEN[0]


class Case(msgspec.Struct):
    name: str
    payload: str
    expect: str
    fields: dict[str, Any] = {}
    reason: str = ""


class Sum(msgspec.Struct):
    input: str
    crc: str


class Vectors(msgspec.Struct):
    crc16: list[Sum]
    cases: list[Case]


def vectors() -> Vectors:
    if not VECTORS.exists():
        return Vectors(crc16=[], cases=[])
    return msgspec.json.decode(VECTORS.read_bytes(), type=Vectors)


needs_vectors = pytest.mark.skipif(not VECTORS.exists(), reason="the vectors are not beside us")


def summed(body: str) -> str:
    return f"{body}6304{crc16(f'{body}6304'.encode()):04X}"


def refused(payload: str) -> str:
    with pytest.raises(emv.Broken) as broken:
        emv.parse(payload)
    return broken.value.reason


def test_the_check_sum_has_its_check_value() -> None:
    assert f"{crc16(b'123456789'):04X}" == "29B1"


@needs_vectors
def test_public_check_sums() -> None:
    for one in vectors().crc16:
        assert f"{crc16(one.input.encode()):04X}" == one.crc


@needs_vectors
@pytest.mark.parametrize("case", vectors().cases, ids=lambda case: case.name)
def test_public_vectors(case: Case) -> None:
    if case.expect == "accept":
        assert emv.parse(case.payload) == case.fields
    else:
        assert refused(case.payload) == case.reason


@pytest.mark.parametrize("payload", GOLDEN)
def test_the_samples_of_the_specification(payload: str) -> None:
    fields = emv.parse(payload)
    assert emv.build(fields) == payload


@pytest.mark.parametrize("payload", GOLDEN)
def test_samples_broken_in_the_ways_codes_break(payload: str) -> None:
    assert refused(payload[:-8]) == "crc_missing"
    assert refused(payload[:-1]) in {"length_overrun", "bad_header"}
    assert refused(payload.lower()) != ""
    assert refused(payload + "0000") in {"zero_length", "duplicate_id", "crc_not_last"}
    changed = payload.replace("CN", "CM").replace("KH", "KI")
    assert refused(changed) == "crc_mismatch"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("5303156", "53031565303156", "duplicate_id"),
        ("5303156", "5303１５６", "bad_53"),
        ("5303156", "53０3156", "bad_header"),
        ("5303156", "5303CNY", "bad_53"),
        ("52044111", "5203411", "bad_52"),
        ("5802CN", "5802cn", "bad_58"),
        ("5802CN", "", "missing_58"),
        ("010212", "010213", "bad_01"),
        ("6007BEIJING", "", "missing_60"),
        ("6007BEIJING", "6016SIXTEENCHARSCITY", "too_long_60"),
        ("6007BEIJING", "6000", "zero_length"),
        ("6007BEIJING", "6007BEI\x00ING", "bad_character"),
        ("6007BEIJING", "6007BEI‮ING", "bad_character"),
        ("6007BEIJING", "6007BEI​ING", "bad_character"),
        ("540523.72", "540400.0", "bad_54"),
        ("540523.72", "5406-23.72", "bad_54"),
        ("540523.72", "540523.7.", "bad_54"),
        ("540523.72", "5405２3.72", "bad_54"),
        ("540523.72", "54062e1.72", "bad_54"),
        ("540523.72", "541400000000000001", "too_long_54"),
        ("29300012D156000000000510A93FO3230Q", "29140510A93FO3230Q", "no_owner_29"),
        ("64200002ZH0104最佳运输0202北京", "64200002ZH0104最佳运输0002北京", "duplicate_id"),
    ],
)
def test_one_fault_has_one_reason(before: str, after: str, reason: str) -> None:
    body = SOUND[:-8]
    assert before in body
    assert refused(summed(body.replace(before, after, 1))) == reason


def test_order_matters_at_both_ends_only() -> None:
    fields = emv.parse(SOUND)
    turned = {"00": "01"} | dict(reversed(list(fields.items())))
    assert emv.parse(emv.build(turned)) == {k: v for k, v in turned.items() if k != "63"} | {
        "63": emv.build(turned)[-4:]
    }
    body = SOUND[:-8]
    assert refused(summed(body[6:] + body[:6])) == "format_indicator_not_first"
    first = summed(body)
    assert refused(first + "6502AB") == "crc_not_last"


def test_long_text_is_refused_before_it_is_read() -> None:
    assert refused("0" * 513) == "too_long"
    assert refused("9" * 10_000_000) == "too_long"
    with pytest.raises(emv.Broken, match="too_long_59"):
        emv.build({"00": "01", "59": "x" * 100})


def test_our_own_template() -> None:
    code_id = new("stc")
    payload = account.static(code_id, "老王面馆", "Shanghai", "5812", "12345678")
    fields = emv.parse(payload)
    assert fields["01"] == "11"
    assert fields["26"] == {"00": "cn.yipay", "01": code_id}
    assert fields["64"] == {"00": "ZH", "01": "老王面馆"}
    assert str(fields["59"]).isascii()
    assert "54" not in fields
    assert account.read(fields) == account.Account(ref=code_id)
    assert "64" not in emv.parse(account.static(code_id, "Noodles & Co", "Shanghai", "5812"))


def test_a_shops_name_never_breaks_its_code() -> None:
    code_id = new("stc")
    for name in ("x" * 80, "面" * 80, "a‮b", "\x00", "🍜👨‍🍳", " ", "ñandú"):
        fields = emv.parse(account.static(code_id, name, "Shanghai", "5812"))
        assert account.read(fields) == account.Account(ref=code_id)


def test_a_dynamic_code_of_ours_has_its_amount() -> None:
    order_id = new("ord")
    fields = sound(order_id) | {"54": "23.5"}
    assert account.read(emv.parse(emv.build(fields))) == account.Account(
        ref=order_id, amount_fen=23_50
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"26": {"00": "cn.yipay", "01": "stc_x"}}, "bad_account"),
        ({"26": {"00": "cn.yipay", "02": "x"}}, "bad_account"),
        ({"27": {"00": "CN.YIPAY", "01": new("stc")}}, "bad_account"),
        ({"53": "840"}, "bad_currency"),
        ({"54": "23.505"}, "bad_54"),
        ({"54": "100000000.01"}, "bad_54"),
    ],
)
def test_what_says_it_is_ours_and_is_not(changes: emv.Fields, reason: str) -> None:
    payload = emv.build(sound(new("stc")) | changes)
    with pytest.raises(emv.Broken, match=reason):
        account.read(emv.parse(payload))


def sound(found_id: str) -> emv.Fields:
    return {
        "00": "01",
        "26": {"00": account.OWNER, "01": found_id},
        "52": "5812",
        "53": "156",
        "58": "CN",
        "59": "SHOP",
        "60": "BEIJING",
    }


printable = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"))


def text(most: int) -> st.SearchStrategy[str]:
    return st.text(printable, min_size=1, max_size=most)


digits = st.text("0123456789", min_size=1, max_size=10)
owned = st.dictionaries(st.integers(1, 99).map(lambda n: f"{n:02d}"), text(10), max_size=3).map(
    lambda rest: {"00": "A000000123"} | rest
)


@st.composite
def payloads(draw: st.DrawFn) -> emv.Fields:
    optional: dict[str, st.SearchStrategy[emv.Field]] = {
        "01": st.sampled_from(["11", "12"]),
        "54": st.integers(1, 10**9).map(lambda fen: f"{fen // 100}.{fen % 100:02d}"),
        "61": text(10),
        "62": st.dictionaries(st.sampled_from(["01", "05", "07", "08"]), text(12), min_size=1),
        "64": st.just({"00": "ZH", "01": "最佳运输"}),
        "70": text(20),
        "85": owned,
    }
    accounts = draw(st.dictionaries(st.integers(26, 51).map(str), owned, min_size=1, max_size=2))
    fields: emv.Fields = dict(accounts)
    fields |= {"52": draw(st.integers(0, 9999).map(lambda n: f"{n:04d}"))}
    fields |= {"53": draw(st.integers(0, 999).map(lambda n: f"{n:03d}"))}
    fields |= {"58": draw(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=2))}
    fields |= {"59": draw(text(25)), "60": draw(text(15))}
    for name, values in optional.items():
        if draw(st.booleans()):
            fields[name] = draw(values)
    order = draw(st.permutations(sorted(fields)))
    return {"00": "01"} | {name: fields[name] for name in order}


@given(payloads())
def test_what_is_built_is_read_back(fields: emv.Fields) -> None:
    try:
        payload = emv.build(fields)
    except emv.Broken as broken:  # two full templates can be longer than a code may be
        assert broken.reason == "too_long" or broken.reason.startswith("too_long_")  # noqa: PT017
        return
    assert emv.parse(payload) == fields | {"63": payload[-4:]}


@given(st.text(max_size=600))
def test_any_text_is_read_or_refused(any_text: str) -> None:
    try:
        fields = emv.parse(any_text)
    except emv.Broken:
        return
    assert emv.parse(emv.build(fields)) == fields


def test_fuzz() -> None:
    """Mutants of sound payloads, half of them summed anew so that they get past the check sum:
    each is refused with a reason or is sound, and then builds the same fields again."""
    chance = secrets.SystemRandom()
    accepted = 0
    for _ in range(FUZZED):
        payload = mutant(chance)
        try:
            fields = emv.parse(payload)
            account.read(fields)
        except emv.Broken as broken:
            assert broken.reason  # noqa: PT017
        else:
            accepted += 1
            assert emv.parse(emv.build(fields)) == fields
    assert 0 < accepted < FUZZED


def mutant(chance: secrets.SystemRandom) -> str:
    body = list(chance.choice((*GOLDEN, emv.build(sound(new("stc")))))[:-8])
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(body))
        match chance.randrange(4):
            case 0:
                body[at] = chance.choice(STRANGE)
            case 1:
                del body[at]
            case 2:
                body.insert(at, chance.choice(STRANGE))
            case _:
                body[at : at + 8] = body[at : at + 8] * 2
    text = "".join(body)
    if chance.random() < 0.5 or "\ud800" in text:
        return text + chance.choice(("", "6304A13A", "6304"))
    return summed(text)
