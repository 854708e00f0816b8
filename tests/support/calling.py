"""The whole application with one route more, which calls somebody else's API."""

import os

from dependency_injector import providers
from flask import Flask
from support.clients import CityNotFoundError, Weather, WeatherClient

from app import create_app
from carboy.api import ApiBlueprint
from carboy.clients import UPSTREAM_ERRORS
from carboy.di.wiring import current_container
from containers import Container

weather = ApiBlueprint("weather", __name__, url_prefix="/api/weather", description="How warm it is.")


class CallingContainer(Container):
    __self__ = Container.__self__
    weather_client = providers.Singleton(
        WeatherClient, http=Container.http_client, base_url=providers.Callable(os.environ.get, "WEATHER_URL", "")
    )


@weather.get("/<city>", errors=[CityNotFoundError, *UPSTREAM_ERRORS])
async def get_weather(city: str) -> Weather:
    """Tell how warm it is in a city."""
    client: WeatherClient = current_container().weather_client()
    return await client.weather(city)


def create_calling_app(container: Container) -> Flask:
    app = create_app(container)
    app.register_blueprint(weather)
    return app
