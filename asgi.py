"""What a server is pointed at (`hypercorn asgi:app`), and what `flask --app asgi` finds."""

from carboy.app import create_app, create_asgi
from carboy.configuration import SettingsError
from carboy.wiring import WiringError
from containers import Container

container = Container()
try:
    flask_app = create_app(container)
except (SettingsError, WiringError) as error:
    # It says what to mend; where in the code it was noticed helps nobody.
    raise SystemExit(str(error)) from None
app = create_asgi(container, flask_app)
