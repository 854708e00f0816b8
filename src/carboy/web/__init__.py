"""Carboy's extensions of Flask: requests, problems, headers, CORS, compression."""
