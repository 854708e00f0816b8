"""An application adds sections of its own: at any depth, optional ones, lists and secrets."""

from collections.abc import Callable
from textwrap import indent
from typing import Annotated, ClassVar

import pytest
from dependency_injector import providers
from flask import Flask
from pydantic import Field, SecretStr
from support.configuration import CLIENTS, HTTP, JOBS, LIMITS, MAIL, METRICS, PASSWORDS, RETENTION, SENTRY, TRACING

from app.settings import Settings as ShippedSettings
from carboy.config import Section, Settings, masked, walk
from carboy.testing import override
from containers import Container

SECRET = "Zq7Secret"


class Google(Section):
    client_id: str
    client_secret: SecretStr
    scopes: list[str] = []


class OAuth(Section):
    google: Google | None
    issuer: str | None
    signing_key: SecretStr | None
    old_keys: tuple[SecretStr, ...] | None = None
    pin: Annotated[SecretStr, Field(min_length=4)] | None = None


class Peer(Section):
    name: str
    token: SecretStr | None = None


class Relay(Section):
    ports: list[int]
    starttls: bool | None
    peers: list[Peer] = []


class ShopSettings(Settings):
    oauth: OAuth
    relay: Relay | None
    motto: str = "none"


Load = Callable[..., ShopSettings]
ProblemsOf = Callable[..., list[str]]

MINIMAL = "oauth: {}"


def document(text: str = MINIMAL, *, development: str = "{}") -> str:
    return f"""\
defaults:
  http: {HTTP}
  passwords: {PASSWORDS}
  limits: {LIMITS}
  metrics: {METRICS}
  tracing: {TRACING}
  sentry: {SENTRY}
  mail: {MAIL}
  database:
    {{url: null, pool_size: 1, acquire_timeout: 0.8,
     statement_timeout: 10.0, require_migrated: true}}
  jobs: {JOBS}
  retention: {RETENTION}
  logging: {{level: INFO, format: json}}
  clients: {CLIENTS}
  security: {{secret_key: null, breached_passwords: false}}
{indent(text, "  ")}
profiles:
  development: {development}
"""


@pytest.fixture
def needed(production: dict[str, str]) -> dict[str, str]:
    return production | {"CARBOY_ENV": "development"}


@pytest.fixture
def load_shop(load: Load, needed: dict[str, str]) -> Load:
    def load_shop(text: str = MINIMAL, *, development: str = "{}", **variables: str) -> ShopSettings:
        return load(document(text, development=development), kind=ShopSettings, **needed | variables)

    return load_shop


@pytest.fixture
def problems_of_shop(problems_of: ProblemsOf, needed: dict[str, str]) -> ProblemsOf:
    def problems_of_shop(text: str = MINIMAL, **variables: str) -> list[str]:
        return problems_of(document(text), kind=ShopSettings, **needed | variables)

    return problems_of_shop


def test_the_settings_are_of_the_application_s_class(load_shop: Load, container: Container) -> None:
    assert isinstance(load_shop(), ShopSettings)
    assert isinstance(Container().settings(), ShippedSettings)


def test_a_variable_sets_a_key_of_a_section_within_a_section(load_shop: Load) -> None:
    settings = load_shop(
        "oauth: {google: {client_secret: from-file}}",
        CARBOY_OAUTH__GOOGLE__CLIENT_ID="shop",
        CARBOY_OAUTH__GOOGLE__SCOPES="mail, name",
    )
    assert settings.oauth.google is not None
    assert settings.oauth.google.client_id == "shop"
    assert settings.oauth.google.client_secret.get_secret_value() == "from-file"
    assert settings.oauth.google.scopes == ["mail", "name"]
    assert settings.source_of("oauth.google.client_id") == "CARBOY_OAUTH__GOOGLE__CLIENT_ID"
    assert settings.source_of("oauth.google.client_secret") == "config.yaml, defaults"


def test_an_optional_section_is_none_as_long_as_nothing_of_it_is_set(load_shop: Load) -> None:
    assert load_shop().oauth.google is None
    assert load_shop().relay is None
    assert load_shop("oauth: {google: null}\nrelay: null").relay is None
    assert load_shop("oauth: {google: {client_id: null, client_secret: null}}").oauth.google is None


def test_a_profile_switches_an_optional_section_off_with_null(load_shop: Load) -> None:
    text = "oauth: {google: {client_id: a, client_secret: b}}"
    assert load_shop(text).oauth.google is not None
    settings = load_shop(text, development="{oauth: {google: null}}")
    assert settings.oauth.google is None
    assert settings.source_of("oauth.google.client_id") == "set nowhere"


def test_an_optional_section_of_which_something_is_set_has_to_be_complete(problems_of_shop: ProblemsOf) -> None:
    assert problems_of_shop(CARBOY_OAUTH__GOOGLE__CLIENT_ID="a") == [
        "oauth.google.client_secret: missing; set CARBOY_OAUTH__GOOGLE__CLIENT_SECRET."
    ]


def test_an_optional_value_may_be_left_out_or_null(load_shop: Load) -> None:
    for text in (MINIMAL, "oauth: {issuer: null, signing_key: null, pin: null}"):
        oauth = load_shop(text).oauth
        assert (oauth.issuer, oauth.signing_key, oauth.old_keys, oauth.pin) == (None, None, None, None)


def test_an_optional_boolean_may_be_one(load_shop: Load) -> None:
    relay = load_shop(f"{MINIMAL}\nrelay: {{ports: [25], starttls: yes}}").relay
    assert relay is not None
    assert relay.starttls is True


def test_lists_are_read_from_the_file_and_from_variables(load_shop: Load) -> None:
    text = f"{MINIMAL}\nrelay: {{ports: [25, 587], peers: [{{name: a}}]}}"
    relay = load_shop(text).relay
    assert relay is not None
    assert (relay.ports, [peer.name for peer in relay.peers]) == ([25, 587], ["a"])
    relay = load_shop(text, CARBOY_RELAY__PORTS="465, 2525", CARBOY_RELAY__PEERS='[{"name": "b"}]').relay
    assert relay is not None
    assert (relay.ports, [peer.name for peer in relay.peers]) == ([465, 2525], ["b"])


def test_a_list_of_secrets_is_read_from_a_variable(load_shop: Load) -> None:
    settings = load_shop(CARBOY_OAUTH__OLD_KEYS=f"a,{SECRET}")
    assert settings.oauth.old_keys is not None
    assert [key.get_secret_value() for key in settings.oauth.old_keys] == ["a", SECRET]
    assert SECRET not in masked("oauth.old_keys", settings.oauth.old_keys)


def test_a_value_outside_of_all_sections_is_a_key_too(load_shop: Load, problems_of_shop: ProblemsOf) -> None:
    assert load_shop().motto == "none"
    assert load_shop(f"{MINIMAL}\nmotto: a").motto == "a"
    assert load_shop(CARBOY_MOTTO="b").motto == "b"
    assert problems_of_shop(CARBOY__MOTTO="b") == ["CARBOY__MOTTO: unknown; the variable is CARBOY_MOTTO."]


@pytest.mark.parametrize(
    ("text", "variables", "problem"),
    [
        (
            "oauth: {google: {client: a}}",
            {},
            "oauth.google.client: unknown key (from config.yaml, defaults).",
        ),
        (
            "oauth: {google: 5}",
            {},
            "oauth.google: must be a section of keys (from config.yaml, defaults).",
        ),
        (
            MINIMAL,
            {"CARBOY_OAUTH__GITHUB__CLIENT_ID": "a"},
            "oauth.github.client_id: unknown key (from CARBOY_OAUTH__GITHUB__CLIENT_ID).",
        ),
        (
            MINIMAL,
            {"CARBOY_OAUTH_GOOGLE__CLIENT_ID": "a"},
            "CARBOY_OAUTH_GOOGLE__CLIENT_ID: unknown; the variable is CARBOY_OAUTH__GOOGLE__CLIENT_ID.",
        ),
        (
            f"{MINIMAL}\nrelay: {{ports: [25, []]}}",
            {},
            "relay.ports.1: Input should be a valid integer (from config.yaml, defaults).",
        ),
        (
            f"{MINIMAL}\nrelay: {{ports: [25], peers: [{{token: a}}]}}",
            {},
            "relay.peers.0.name: Field required (from config.yaml, defaults).",
        ),
        (
            f"{MINIMAL}\nrelay: {{ports: [25]}}",
            {"CARBOY_RELAY__PEERS": "a,b"},
            "relay.peers: Input should be a valid list (from CARBOY_RELAY__PEERS).",
        ),
    ],
)
def test_what_is_wrong_is_named_at_any_depth(
    problems_of_shop: ProblemsOf, text: str, variables: dict[str, str], problem: str
) -> None:
    assert problems_of_shop(text, **variables) == [problem]


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("oauth: {signing_key: x}", "oauth.signing_key"),
        ("oauth: {old_keys: [x]}", "oauth.old_keys"),
        ("oauth: {pin: '1234'}", "oauth.pin"),
        ("oauth: {google: {client_id: a, client_secret: x}}", "oauth.google.client_secret"),
        (f"{MINIMAL}\nrelay: {{ports: [], peers: [{{name: a, token: x}}]}}", "relay.peers"),
    ],
)
def test_a_secret_in_the_file_is_refused_also_where_it_is_optional(
    problems_of_shop: ProblemsOf, load_shop: Load, environment: str, text: str, key: str
) -> None:
    load_shop(text)
    variable = f"CARBOY_{key.upper().replace('.', '__')}"
    assert problems_of_shop(text, CARBOY_ENV=environment) == [
        f"{key}: a secret must not stand in a file (from config.yaml, defaults); set {variable}."
    ]


def test_optional_secrets_from_the_environment_are_accepted(load_shop: Load) -> None:
    settings = load_shop(CARBOY_ENV="production", CARBOY_OAUTH__SIGNING_KEY=SECRET)
    assert settings.oauth.signing_key is not None
    assert settings.oauth.signing_key.get_secret_value() == SECRET


def test_config_show_prints_the_application_s_keys(load_shop: Load, container: Container, app: Flask) -> None:
    settings = load_shop(f"{MINIMAL}\nrelay: {{ports: [25, 587]}}", CARBOY_OAUTH__SIGNING_KEY=SECRET)
    with override(container, settings=providers.Object(settings)):
        shown = app.test_cli_runner().invoke(args=["config", "show"]).output
    assert [line.split(maxsplit=2) for line in shown.splitlines() if line.startswith(("oauth", "relay", "motto"))] == [
        ["oauth.google", "null", "# set nowhere"],
        ["oauth.issuer", "null", "# set nowhere"],
        ["oauth.signing_key", "********", "# CARBOY_OAUTH__SIGNING_KEY"],
        ["oauth.old_keys", "null", "# set nowhere"],
        ["oauth.pin", "null", "# set nowhere"],
        ["relay.ports", "25,587", "# config.yaml, defaults"],
        ["relay.starttls", "null", "# set nowhere"],
        ["relay.peers", "#", "set nowhere"],
        ["motto", "none", "# set nowhere"],
    ]
    assert [key for key, _ in walk(settings)][-1] == "motto"


class OtherSettings(Settings):
    variable_prefix: ClassVar[str] = "SHOP_"


def test_the_prefix_of_variables_is_said_once(load: Load, problems_of: ProblemsOf, needed: dict[str, str]) -> None:
    variables = {name.replace("CARBOY_", "SHOP_"): value for name, value in needed.items()}
    settings = load(document(""), kind=OtherSettings, CARBOY_DATABASE__POOL_SIZE="9", **variables)
    assert settings.database.pool_size == 1
    assert settings.source_of("database.url") == "SHOP_DATABASE__URL"
    assert problems_of(document(""), kind=OtherSettings, SHOP_ENV="prod")[0].startswith("SHOP_ENV=prod: ")
    assert problems_of(document(""), kind=OtherSettings, SHOP_ENVIRONMENT="a")[0].endswith(
        "set SHOP_ENV to choose the profile."
    )
    assert problems_of(document(""), kind=OtherSettings, SHOP_ENV="production") == [
        "database.url: missing; set SHOP_DATABASE__URL.",
        "security.secret_key: missing; set SHOP_SECURITY__SECRET_KEY.",
    ]


def test_the_env_file_is_named_after_the_prefix(load: Load, needed: dict[str, str]) -> None:
    variables = {name.replace("CARBOY_", "SHOP_"): value for name, value in needed.items()}
    settings = load(
        document(""), kind=OtherSettings, dotenv="SHOP_LOGGING__LEVEL=ERROR", dotenv_name="shop.env", **variables
    )
    assert settings.source_of("logging.level") == "SHOP_LOGGING__LEVEL in shop.env"
