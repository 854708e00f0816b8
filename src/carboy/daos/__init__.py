"""The base of DAOs. They run statements in the current unit of work and never commit."""
