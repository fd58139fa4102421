"""The database: a projection of the evidence log that can be thrown away and recorded again.

Nothing here imports SQLModel or Alembic: import `monitor.store.store` or `monitor.store.migrate` where they are used.
"""
