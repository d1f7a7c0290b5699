"""Personal data is sealed to its field, found whatever its spelling, and shown masked."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.personal import DoesNotOpen, Vault, cell, kind_of, mask, normalise

VAULT = Vault(bytes(32), b"\x01" * 32)
texts = st.text(st.characters(codec="utf-8"), max_size=60)


@given(field=st.sampled_from(["name", "phone", "note"]), value=texts)
def test_what_is_sealed_opens_again_and_never_looks_the_same(field: str, value: str) -> None:
    sealed = VAULT.seal(field, value)
    assert VAULT.open(field, sealed) == value
    assert sealed != VAULT.seal(field, value)
    assert len(value) < 4 or value.encode() not in sealed


@given(data=st.data(), value=texts)
def test_any_single_flipped_bit_keeps_it_shut(data: st.DataObject, value: str) -> None:
    sealed = bytearray(VAULT.seal("name", value))
    place = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[place // 8] ^= 1 << place % 8
    with pytest.raises(ValueError, match="sealed value"):
        VAULT.open("name", bytes(sealed))


PLACE = cell("borrowers", "name", "wuhan", "B1")


@pytest.mark.parametrize(
    ("vault", "place"),
    [
        (VAULT, cell("contacts", "name", "wuhan", "B1")),
        (VAULT, cell("borrowers", "id_number", "wuhan", "B1")),
        (VAULT, cell("borrowers", "name", "yichang", "B1")),
        (VAULT, cell("borrowers", "name", "wuhan", "B2")),
        (VAULT, cell("borrowers", "name", "wuhanB", "1")),
        (Vault(b"\x02" * 32, b"\x01" * 32), PLACE),
    ],
    ids=["table", "field", "institution", "row", "parts run together", "key"],
)
def test_in_another_place_or_by_another_key_it_does_not_open(vault: Vault, place: str) -> None:
    sealed = VAULT.seal(PLACE, "张三")
    assert VAULT.open(PLACE, sealed) == "张三"
    with pytest.raises(DoesNotOpen) as told:
        vault.open(place, sealed)
    assert told.value.code == "sealed_value_altered"
    assert "张三" not in str(told.value)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + bytes(12), b"\x02" + bytes(40)])
def test_bytes_that_were_never_sealed_do_not_open(sealed: bytes) -> None:
    with pytest.raises(ValueError, match="sealed value"):
        VAULT.open("name", sealed)


@pytest.mark.parametrize(("key", "blind_key"), [(b"short", bytes(32)), (bytes(32), b"short"), (bytes(32), bytes(32))])
def test_a_vault_needs_two_different_keys(key: bytes, blind_key: bytes) -> None:
    with pytest.raises(ValueError, match="two different keys"):
        Vault(key, blind_key)


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("phone", "12800001111", "+86 128-0000-1111"),
        ("phone", "12800001111", "0086 128 0000 1111"),
        ("phone", "12800001111", "８６１２８００００１１１１"),
        ("contact_phone", "027-85551234", "027 8555 1234"),
        ("phone", "027-85551234", "+86 27 8555 1234"),
        ("phone", "(027)85551234转801", "027-85551234-801"),
        ("phone", "02785551234 转接分机 801", "0086-27-85551234 ext. 801"),
        ("phone", "12800001111转8", "１２８００００１１１１ #8"),
        ("phone", "17951 12800001111", "12800001111"),
        ("phone", "00852 5555 1234", "+852-5555-1234"),
        ("id_number", "00010119900101123x", " 0001 0119 9001 0112 3X "),
        ("borrower_name", "欧阳　雪", "欧阳雪"),
        ("name", "ﬁn", "fin"),
        ("name", "Li x", "LI X"),
        ("name", "阿依古丽·买买提", "阿依古丽•买买提"),
        ("name", "阿依古丽·买买提", "阿依古丽・买买提"),
        ("name", "阿依古丽·买买提", "阿依古丽．买买提"),
        ("name", "阿依古丽·买买提", "阿依古丽买买提"),
        ("name", "欧阳雪", "欧阳\u200b雪"),
        ("phone", "12800001111", "\u200b+86128\u200b00001111\ufeff"),
        ("id_number", "00010119900101123X", "\u200e00010119900101123x"),
    ],
)
def test_two_spellings_of_one_value_share_their_index(field: str, one: str, other: str) -> None:
    assert VAULT.blind(field, one) == VAULT.blind(field, other)


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("phone", "12800001111", "12800001112"),
        ("phone", "8612345", "12345"),
        ("phone", "8655512345", "55512345"),
        ("phone", "02785551234", "02785551234转801"),
        ("phone", "+852 5555 1234", "55551234"),
        ("phone", "120000000001", "12593000000001"),
        ("name", "张三", "张三丰"),
        ("name", "li x", "li y"),
    ],
)
def test_two_values_have_two_indexes(field: str, one: str, other: str) -> None:
    assert VAULT.blind(field, one) != VAULT.blind(field, other)


def test_fields_of_one_kind_share_an_index_and_kinds_do_not() -> None:
    assert VAULT.blind("borrower_name", "1") == VAULT.blind("person_name", "1")
    assert VAULT.blind("name", "1") != VAULT.blind("phone", "1")
    assert VAULT.blind("name", "1") != Vault(bytes(32), b"\x03" * 32).blind("name", "1")
    assert len(VAULT.blind("name", "张三")) == 16


@pytest.mark.parametrize(
    ("field", "kind"),
    [("borrower_name", "name"), ("id_number", "id_number"), ("borrower_id_number", "id_number"),
     ("phone", "phone"),
     ("home_address", "address"), ("note", "text"), ("username", "text")],
)  # fmt: skip
def test_the_name_of_a_field_says_its_kind(field: str, kind: str) -> None:
    assert kind_of(field) == kind


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("name", "张三丰", "张**"), ("name", "", ""), ("phone", "12800001111", "128****1111"),
        ("phone", "110", "***"), ("phone", "1234567", "***"),
        ("phone", "88886666", "88****66"), ("phone", "027-8888666", "027****8666"),
        ("id_number", "E12345678", "E1*****78"), ("id_number", "000101900101123", "000********1123"),
        ("id_number", "12345678", "***"),
        ("id_number", "000101199001011234", "0001**********1234"),
        ("address", "武汉市江岸区一路2号", "武汉市江岸区***"), ("address", "武汉市", "***"),
        ("note", "anything at all", "***"),
    ],
)  # fmt: skip
def test_a_masked_value_shows_its_ends_only(field: str, value: str, shown: str) -> None:
    assert mask(field, value) == shown


@given(value=texts)
def test_text_of_no_known_kind_is_never_shown(value: str) -> None:
    assert mask("note", value) in ("", "***")


@given(value=texts)
def test_the_blind_index_is_an_hmac_of_kind_and_normalised_value(value: str) -> None:
    message = b"casework/personal/v1/blind\n" + b"name\x00" + normalise("name", value).encode()
    assert VAULT.blind("borrower_name", value) == hmac.digest(b"\x01" * 32, message, "sha256")[:16]
