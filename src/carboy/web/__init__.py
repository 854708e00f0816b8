"""What Carboy adds to Flask."""
