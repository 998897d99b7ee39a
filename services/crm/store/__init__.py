"""The only place with SQL: the ports over PostgreSQL, one module per noun; the statements lie in `sql/`."""

from services.crm.store.postgres import PgStore, PgTx

__all__ = ["PgStore", "PgTx"]
