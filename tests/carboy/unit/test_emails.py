"""Which email addresses are taken, how they are spelt, and which are the same."""

import pytest
from pydantic import BaseModel, ValidationError

from carboy.schemas.emails import SPECIAL_USE_DOMAINS, Email, fold_email


class Letter(BaseModel):
    to: Email


def taken(address: str, *, special_use: bool | None = None) -> str:
    context = None if special_use is None else {SPECIAL_USE_DOMAINS: special_use}
    return Letter.model_validate({"to": address}, context=context).to


@pytest.mark.parametrize(
    ("address", "spelt"),
    [
        ("Ada@Example.ORG", "ada@example.org"),
        (" ada@example.org ", "ada@example.org"),
        ("ada@xn--strae-oqa.de", "ada@straße.de"),
        ("ada@STRASSE.de", "ada@strasse.de"),
        ("A\u030ada@example.org", "åda@example.org"),
    ],
)
def test_an_address_has_one_spelling(address: str, spelt: str) -> None:
    assert taken(address) == taken(address, special_use=True) == spelt


@pytest.mark.parametrize("domain", ["host.test", "host.local", "a.b.LOCAL", "localhost", "app.localhost", "test"])
def test_a_special_use_domain_is_taken_only_where_it_is_allowed(domain: str) -> None:
    assert taken(f"Ada@{domain}", special_use=True) == f"ada@{domain.lower()}"
    for special_use in (None, False):
        with pytest.raises(ValidationError):
            taken(f"ada@{domain}", special_use=special_use)


@pytest.mark.parametrize(
    "address",
    [
        "ada@host.invalid",
        "ada@host.onion",
        "ada@host",
        "ada@1.2.3.4",
        "ada@-.local",
        "ada@..local",
        "ada@local.",
        "@host.local",
        "ada@b@host.local",
        "ada ada@host.local",
        "Ada <ada@host.local>",
        "Ada <ada@example.org>",
        '"Ada" <ada@example.org>',
        "<ada@example.org>",
        "ada@example.org\n",
        "\u2028ada@example.org",
    ],
)
@pytest.mark.parametrize("special_use", [False, True])
def test_an_invalid_address_is_refused(address: str, special_use: bool) -> None:  # noqa: FBT001 - a table of cases.
    with pytest.raises(ValidationError):
        taken(address, special_use=special_use)


def test_a_display_name_is_named_as_the_mistake() -> None:
    with pytest.raises(ValidationError, match="display name"):
        taken("Ada <ada@example.org>")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ada@example.org", "ADA@EXAMPLE.ORG", True),
        ("straße@example.org", "STRASSE@example.org", True),
        ("ada@straße.de", "ada@strasse.de", False),
        ("ada@STRAẞE.de", "ada@straße.de", True),
        ("ada@straße.de", "ada@XN--STRAE-OQA.de", True),
        ("ada@βόλος.gr", "ada@βόλοσ.gr", False),
        ("ada@BÜCHER.de", "ada@bu\u0308cher.de", True),
        ("ada@xn--\u00e4.de", "ada@example.org", False),
        ("no address", "NO ADDRESS", True),
        ("", "@", False),
    ],
)
def test_domains_are_compared_by_idna_and_the_rest_without_regard_to_case(one: str, other: str, same: bool) -> None:  # noqa: FBT001 - a table of cases.
    assert (fold_email(one) == fold_email(other)) is same
