"""A code of the second factor works once, a recovery code is typed as one likes."""

import hashlib
import re
from xml.etree import ElementTree as ET

import pyotp
import pytest

from carboy.security.totp import (
    STEP_SECONDS,
    accepted_step,
    new_recovery_codes,
    new_seed,
    provisioning_uri,
    qr_code,
    recovery_digest,
)

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = 1_800_000_000
STEP = NOW // STEP_SECONDS


def code(step: int) -> str:
    return pyotp.TOTP(SEED).generate_otp(step)


def test_the_codes_are_those_of_the_standard() -> None:
    # RFC 6238 appendix B, of which ours are the last six digits.
    seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert accepted_step(seed, "287082", last_step=None, now=59) == 1
    assert accepted_step(seed, "005924", last_step=None, now=1234567890) == 41152263


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_a_code_of_the_step_before_or_after_is_accepted(shift: int) -> None:
    assert accepted_step(SEED, code(STEP + shift), last_step=None, now=NOW) == STEP + shift


@pytest.mark.parametrize("shift", [-2, 2])
def test_an_older_or_later_code_is_wrong(shift: int) -> None:
    assert accepted_step(SEED, code(STEP + shift), last_step=None, now=NOW) is None


def test_a_code_works_once_and_no_earlier_one_after_it() -> None:
    assert accepted_step(SEED, code(STEP), last_step=STEP - 1, now=NOW) == STEP
    assert accepted_step(SEED, code(STEP), last_step=STEP, now=NOW) is None
    assert accepted_step(SEED, code(STEP - 1), last_step=STEP, now=NOW) is None


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "١٢٣٤٥٦", "abcdef", "\ud800"])
def test_what_is_no_code_is_wrong(typed: str) -> None:
    assert accepted_step(SEED, typed, last_step=None, now=NOW) is None


def test_blanks_in_a_code_are_overlooked() -> None:
    typed = f" {code(STEP)[:3]} {code(STEP)[3:]} "
    assert accepted_step(SEED, typed, last_step=None, now=NOW) == STEP


def test_seeds_have_160_bits_and_differ() -> None:
    seeds = {new_seed() for _ in range(100)}
    assert len(seeds) == 100
    assert all(re.fullmatch(r"[A-Z2-7]{32}", seed) for seed in seeds)


def test_the_address_names_the_account_and_the_product() -> None:
    assert provisioning_uri(SEED, account="ada@example.org", issuer="Carboy") == (
        f"otpauth://totp/Carboy:ada%40example.org?secret={SEED}&issuer=Carboy"
    )


def test_the_qr_code_needs_neither_script_nor_style() -> None:
    svg = qr_code(provisioning_uri(SEED, account="ada", issuer="Carboy"), title="Scan <this>")
    root = ET.fromstring(svg)  # noqa: S314 - it is ours.
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "Scan <this>"
    assert re.findall(r"<script|<style|\bstyle=|\bon[a-z]+=|href", svg) == []


def test_recovery_codes_have_120_bits_and_differ() -> None:
    codes = [code for _ in range(100) for code in new_recovery_codes()]
    assert len(set(codes)) == 1000
    assert all(re.fullmatch(r"([A-Z2-7]{4}-){5}[A-Z2-7]{4}", code) for code in codes)


def test_a_recovery_code_may_be_typed_in_any_spelling() -> None:
    digest = recovery_digest("ABCO-IBGH-2345-ABCD-EFGH-IJKL")
    assert digest == hashlib.sha256(b"ABCOIBGH2345ABCDEFGHIJKL").hexdigest()
    for typed in ("abco ibgh 2345 abcd efgh ijkl", "ABC01BGH2345ABCDEFGHIJKL", " abcoi8gh-2345abcd-efghijkl "):
        assert recovery_digest(typed) == digest
    for typed in ("abco", "", "\ud800"):
        assert recovery_digest(typed) != digest
