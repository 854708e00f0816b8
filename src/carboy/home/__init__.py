"""The answer at `/`: what this is, and where its documentation is."""
