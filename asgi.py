"""What a server is pointed at (`hypercorn asgi:app`), and what `flask --app asgi` finds."""

from app import create_app
from carboy.config import SettingsError
from carboy.di.wiring import WiringError
from carboy.server import create_asgi
from containers import Container

container = Container()
try:
    flask_app = create_app(container)
    app = create_asgi(container, flask_app)
except (SettingsError, WiringError) as error:
    # It says what to mend; where in the code it was noticed helps nobody.
    raise SystemExit(str(error)) from None
