"""Runs the test suites of Flask and its extensions under WSGI and through the bridge: ``make compat``.

See docs/compatibility.md.
"""
