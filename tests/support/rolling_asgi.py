"""What a server is pointed at to serve `support.rolling`."""

from support.rolling import RollingContainer, linger, rolling

from app import create_app
from carboy.server import create_asgi

RollingContainer.job_kinds.add_args(linger)
_container = RollingContainer()
_app = create_app(_container)
_app.register_blueprint(rolling)
asgi = create_asgi(_container, _app)
