"""The only place with SQL; statements stand in `sql/`, one per file."""

from services.dialer.store.pools import DialerStore

__all__ = ["DialerStore"]
