"""What every DAO can do. They use the session of the current unit of work and never commit."""
