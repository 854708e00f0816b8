"""Translates the arguments of a PostgreSQL URL into those of asyncpg, which has other names and types for libpq's."""

import re
from collections.abc import Mapping, Sequence
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

SAME = {"user": "user", "password": "password", "passfile": "passfile", "database": "database", "dbname": "database"}
CACHE_SIZES = ("statement_cache_size", "prepared_statement_cache_size")
SERVER_SETTINGS = ("application_name", "options")
CERTIFICATES = ("sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl")
CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": ("any", "primary", "standby", "read-write", "read-only", "prefer-standby"),
    # asyncpg has no channel binding.
    "channel_binding": ("disable", "prefer"),
}
CHOICES["ssl"] = (*CHOICES["sslmode"], "true", "false")
ARGUMENTS = {"host", "port", "connect_timeout", *SAME, *CACHE_SIZES, *SERVER_SETTINGS, *CERTIFICATES, *CHOICES}
SERVER = re.compile(r"(?:\[(?P<ipv6>[^\[\],]+)\]|(?P<host>[^:\[\],]+))(?::(?P<port>[0-9]{1,5}))?")

Query = Mapping[str, str | Sequence[str]]


def translate(query: Query) -> dict[str, Any]:
    """Return the keyword arguments that asyncpg, and SQLAlchemy's dialect for it, take for those of a URL.

    Raises:
        ValueError: One has a value that it must not have.
    """
    given = {name: value for name, value in query.items() if isinstance(value, str) and name not in {"host", "port"}}
    for name in query:
        if name not in {"host", "port", *given}:
            raise ValueError(f"{name} is given twice")
    for name in CHOICES.keys() & given:
        if given[name] not in CHOICES[name]:
            raise ValueError(f"{name} must be one of {', '.join(CHOICES[name])}")
    arguments: dict[str, Any] = {SAME[name]: given[name] for name in SAME if name in given}
    if "target_session_attrs" in given:
        arguments["target_session_attrs"] = given["target_session_attrs"]
    if settings := {name: given[name] for name in SERVER_SETTINGS if name in given}:
        arguments["server_settings"] = settings
    if "connect_timeout" in given:
        arguments["timeout"] = float(_number("connect_timeout", given["connect_timeout"], 1))
    return arguments | _servers(query) | _statement_cache(given) | _encryption(given)


def _number(name: str, text: str, least: int) -> int:
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < least:
        raise ValueError(f"{name} must be a whole number, {least} or more")
    return int(text)


def _servers(query: Query) -> dict[str, Any]:
    """Return the servers in the order to ask them, as ``host=a:1&host=b:2``, ``host=a,b&port=1,2`` or ``a:1,b:2``."""
    ports = _items(query.get("port", ()))
    if "host" not in query:
        return {"port": _number("port", ports[0], 1)} if ports else {}
    servers = [SERVER.fullmatch(item) for item in _items(query["host"])]
    if len(ports) != len(servers):
        ports = (ports or ["5432"]) * len(servers)
    if not all(servers) or len(ports) != len(servers):
        raise ValueError("several hosts are written host1:5432,host2:5432")
    found = [server for server in servers if server]
    return {
        "host": [server["ipv6"] or server["host"] for server in found],
        "port": [_number("port", server["port"] or port, 1) for server, port in zip(found, ports, strict=True)],
    }


def _items(value: str | Sequence[str]) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    return [item for text in texts for item in text.split(",")]


def _statement_cache(given: Mapping[str, str]) -> dict[str, Any]:
    """Return how many prepared statements asyncpg and SQLAlchemy keep: each has a cache of its own."""
    sizes = [_number(name, given[name], 0) for name in CACHE_SIZES if name in given]
    if not sizes:
        return {}
    arguments: dict[str, Any] = dict.fromkeys(CACHE_SIZES, min(sizes))
    if min(sizes) == 0:
        # Behind a pooler, connections of several processes meet on one of the server's; asyncpg's names would too.
        arguments["prepared_statement_name_func"] = _unique_name
    return arguments


def _unique_name() -> str:
    return f"__carboy_{uuid4()}__"


def _encryption(given: Mapping[str, str]) -> dict[str, Any]:
    mode = given.get("sslmode", {"true": "require", "false": "disable"}.get(given.get("ssl", ""), given.get("ssl")))
    certificates = {name: given[name] for name in CERTIFICATES if name in given}
    if certificates.get("sslrootcert") == "system":
        del certificates["sslrootcert"]
        if mode not in {None, "verify-full"} or certificates:
            raise ValueError("sslrootcert=system goes with sslmode=verify-full, and without a certificate of one's own")
        # Python's own default: the certificates of the system, and the host's name.
        return {"ssl": True}
    if mode in {"verify-ca", "verify-full"} and "sslrootcert" not in certificates:
        raise ValueError(f"sslmode={mode} needs sslrootcert, the path of a file or system")
    _check_files(certificates)
    arguments: dict[str, Any] = {} if mode is None else {"ssl": mode}
    if certificates:
        # asyncpg takes these as part of a URL only.
        arguments["dsn"] = f"postgresql://?{urlencode(certificates)}"
    return arguments


def _check_files(certificates: Mapping[str, str]) -> None:
    """Read the files once, as otherwise each connection would fail on one that is not there."""
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    for name in ("sslrootcert", "sslcrl"):
        if name in certificates:
            try:
                context.load_verify_locations(certificates[name])
            except OSError:
                raise ValueError(f"{name} names a file that cannot be read, or is no certificate") from None
    if "sslcert" in certificates:
        password = certificates.get("sslpassword", "")
        try:
            context.load_cert_chain(certificates["sslcert"], certificates.get("sslkey"), lambda: password)
        except OSError:
            raise ValueError("sslcert and sslkey name files that cannot be read, or do not fit together") from None
