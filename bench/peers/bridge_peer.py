"""A small Flask application through the bridge: what `bench.bridge` compares between two versions of it."""

import asyncio
from typing import Any

from flask import Flask

from carboy.bridge import FlaskASGI

flask_app = Flask("bench", static_folder=None)
app = FlaskASGI(flask_app)


@flask_app.get("/health/live")
@flask_app.get("/async/<int:number>")
async def async_view(number: int = 0) -> dict[str, Any]:
    return {"number": number}


@flask_app.get("/waiting/<int:number>")
async def waiting_view(number: int) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"number": number}


@flask_app.get("/sync/<int:number>")
def sync_view(number: int) -> dict[str, Any]:
    return {"number": number}


for index in range(100):
    flask_app.add_url_rule(f"/other{index}/<int:number>", f"other{index}", async_view)
