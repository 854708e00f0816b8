"""What a server is pointed at (`hypercorn asgi:app`), and what `flask --app asgi` finds."""

from carboy.app import create_app, create_asgi
from containers import Container

container = Container()
flask_app = create_app(container)
app = create_asgi(container, flask_app)
