"""Keeps a redirect from leading to the inside of our network (server-side request forgery, ASVS 5.0 1.3.6)."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx2

TUNNELS = (ip_network("2002::/16"), ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
"""Addresses of IPv6 that stand for one of IPv4: 6to4 (RFC 3056) and NAT64 (RFC 6052, RFC 8215)."""

DEFAULT_PORTS = {"http": 80, "https": 443}


class ForbiddenAddressError(Exception):
    """A redirect leads where none may lead."""


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet's."""
    ip: IPv4Address | IPv6Address = ip_address(address)
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if any(ip in tunnel for tunnel in TUNNELS):
            return False
    return ip.is_global and not ip.is_multicast


async def pinned(request: httpx2.Request) -> httpx2.Request:
    """Return a request that goes to the address which its host has now, if that is public.

    What is checked is what is connected to: a name that resolves to another address a moment later (DNS rebinding)
    gains nothing. The host stays in the header Host and in the certificate's check.

    Raises:
        ForbiddenAddressError: The host has an address that is not public.
        httpx2.ConnectError: The host has no address.
    """
    host, port = request.url.host, request.url.port or DEFAULT_PORTS[request.url.scheme]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpx2.ConnectError(str(error), request=request) from error
    addresses = sorted({str(entry[4][0]).partition("%")[0] for entry in found}, key=lambda one: ":" in one)
    private = [address for address in addresses if not is_public(address)]
    if private:
        raise ForbiddenAddressError(f"a redirect leads to {host}, which is at {private[0]}")
    # IPv4 first, as a host may have no way to IPv6.
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=addresses[0]),
        headers=request.headers,
        extensions=request.extensions | {"sni_hostname": host},
    )
