"""Compares Carboy with what a user would pick instead: ``make bench``. See docs/performance.md."""
