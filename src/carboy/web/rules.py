"""URL rules that cost the start of an application less."""

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule


class LazyRule(Rule):
    """A rule that compiles what builds its URLs when the first is built.

    Werkzeug does so when the rule is added, which takes three quarters of adding it, twice for each rule. Most URLs of
    an API are never built. Should a later Werkzeug have no such method, its rules are what they are.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:  # noqa: FBT001, FBT002 - its signature is werkzeug's.
        compile_builder = super()._compile_builder
        compiled: list[Callable[..., tuple[str, str]]] = []

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            if not compiled:
                compiled.append(compile_builder(append_unknown))
            return compiled[0](rule, **values)

        return build
