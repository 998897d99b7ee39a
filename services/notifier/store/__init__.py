"""The only place with the notifier's SQL: rows become domain values here and nowhere else."""

from services.notifier.store.postgres import PgStore, PgTx

__all__ = ["PgStore", "PgTx"]
