"""Says in two words what a client says of itself in a line, for lists that people read."""

import re

BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "FxiOS": "Firefox", "Chrome": "Chrome"} | {
    "CriOS": "Chrome",
    "Safari": "Safari",
}
"""By what a browser names itself with. Each also names those that stand below it, whose pages it wants to get."""
SYSTEMS = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows", "Mac OS X": "macOS"} | {
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def name_of(agent: str | None) -> str:
    """Return such as ``Firefox on Linux`` for a User-Agent; of what is no browser, what it begins with."""
    if agent is None:
        return "Unknown program"
    browser = next((name for token, name in BROWSERS.items() if f"{token}/" in agent), None)
    if browser is None:
        return re.split("[/ ]", agent, maxsplit=1)[0] or "Unknown program"
    system = next((name for token, name in SYSTEMS.items() if token in agent), None)
    return browser if system is None else f"{browser} on {system}"
