"""What a server is pointed at (`asgi:app`), and what `flask --app asgi` finds."""

# ruff: noqa: E402 - garbage collection is paused before anything is imported.
import gc

# Nothing that a start makes is garbage: to look for it takes a sixth of the start, and of what each domain adds.
gc.disable()

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
finally:
    # What is there by now stays, so that no later collection goes through it.
    gc.freeze()
    gc.enable()
