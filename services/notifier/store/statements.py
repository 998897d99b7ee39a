"""The statements of the notifier, read once."""

from services.runtime.sql import load_sql

SQL = load_sql("services.notifier")
