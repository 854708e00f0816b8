# Lets `flask` find the application without `--app asgi`.
FLASK_APP=asgi
