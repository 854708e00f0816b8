"""Believes X-Forwarded-For and X-Forwarded-Proto of the configured number of proxies, and of nobody else.

Each proxy adds the address that it was asked from at the end. What stands before those of our own proxies was written
by the client, and is not looked at (ASVS 5.0 4.1.3, 15.3.4).
"""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from carboy.config.settings import HttpSettings


def init_app(app: Flask, settings: HttpSettings) -> None:
    """Take a request's address and scheme from the proxies. X-Forwarded-Host is not taken: links have a public URL."""
    hops = settings.trusted_hops
    if hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]  # as Flask documents it.
