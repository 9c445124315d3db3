"""How a record store comes from one version to the next: Alembic's scripts, run by `upgrade`."""
