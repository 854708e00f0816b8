"""Deletes what is kept no longer: rows that domains declare as `carboy.daos.kept.Kept`."""
