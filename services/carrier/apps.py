"""ARI applications: who hears the events of which app.

One connection has an app at a time. A second one takes it: the first is told `ApplicationReplaced` and hears nothing of
it ever after, though it stays open. While nobody has an app its events are lost, as in Asterisk.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

Event = dict[str, Any]
"""An ARI event as it goes over the wire; whoever receives one must not change it."""

Receive = Callable[[Event], None]
"""Takes one event. It is called from inside the switch, so it may only put the event away, never call back."""

ASTERISK_ID = "galw-carrier"


class Connection:
    """One client's ear; it may have several apps, lose them to others, and be closed once."""

    __slots__ = ("apps", "receive")

    def __init__(self, apps: frozenset[str], receive: Receive) -> None:
        """Keep the apps it asked for; which of them it still has, `Apps` knows."""
        self.apps = apps
        self.receive = receive


class Apps:
    """The apps that exist: connected ones, and the event types each does not want."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Start without any."""
        self._now = now
        self._owners: dict[str, Connection] = {}
        self._unwanted: dict[str, frozenset[str]] = {}

    @property
    def connected(self) -> list[str]:
        """The names of the apps somebody listens to."""
        return sorted(self._owners)

    def has(self, app: str) -> bool:
        """Tell whether somebody listens to *app*."""
        return app in self._owners

    def connect(self, names: Iterable[str], receive: Receive) -> Connection:
        """Give the apps to a new connection; whoever had one is told and turns deaf to it."""
        connection = Connection(frozenset(names), receive)
        for app in sorted(connection.apps):
            if (former := self._owners.get(app)) is not None:
                former.receive(event_of("ApplicationReplaced", app, self._now()))
            self._owners[app] = connection
        return connection

    def close(self, connection: Connection) -> None:
        """End a connection: the apps it still has are without a listener now. A repeat does nothing."""
        for app in connection.apps:
            if self._owners.get(app) is connection:
                del self._owners[app]
                self._unwanted.pop(app, None)

    def filter(self, app: str, unwanted: Iterable[str]) -> None:
        """Leave out events of these types until nobody listens: a filter is to be sent after each connect."""
        self._unwanted[app] = frozenset(unwanted)

    def unwanted(self, app: str) -> frozenset[str]:
        """Return the event types *app* does not want."""
        return self._unwanted.get(app, frozenset())

    def deliver(self, app: str, event: Event) -> None:
        """Hand *event* to whoever has *app*; without a listener it is lost."""
        owner = self._owners.get(app)
        if owner is not None and event["type"] not in self.unwanted(app):
            owner.receive(event)


def wire_time(at: datetime) -> str:
    """Return *at* (UTC) as ARI writes instants."""
    return at.isoformat(timespec="milliseconds")[:23] + "+0000"


def event_of(kind: str, app: str, at: datetime) -> Event:
    """Return an event of *kind* without its body."""
    return {"type": kind, "application": app, "timestamp": wire_time(at), "asterisk_id": ASTERISK_ID}
