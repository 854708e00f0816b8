"""What stands at `/`: what this is, and where its documentation is."""
