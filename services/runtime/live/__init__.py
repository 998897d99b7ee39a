"""The live line to people: one WebSocket per signed-in user, state from the server only, resumable by number.

Every message is `{"seq", "kind", "body"}`. A client that comes back with `?since=<last seq>` gets what it missed while
that is in its user's ring, else a message of kind `snapshot` with everything. Messages are states, not changes: to hear
one that a snapshot has told already is harmless. `heartbeat` messages come every 15 seconds with the last number.

The numbers that one client sees only grow: over restarts of the server, from one instance to the next and back. A ring
lives in its instance's memory, so whoever comes back after a `kill -9`, or to another instance, gets a snapshot.

The newest connection of a user wins; the one before is closed with 4409 and must not come back by itself. So two tabs
never fight over one operator, and a reload needs no sign-off from the page that went away. Access tokens come in the
header `Sec-WebSocket-Protocol` (`galw.live.v1, bearer.<token>`), in `Authorization`, or as the first message
`{"access_token": "..."}`; never in an address, because addresses are logged. A later message of that form replaces the
token before it expires; without one the socket is closed with 4401, and the client signs in and resumes.

    hub = LiveHub(clock, presence=presence)
    routes = live_routes(hub, verifier, snapshot, path="/api/dialer/live", roles={Role.OPERATOR})
    push = push_routes(hub, secret)                  # other instances: LivePush(session, secret).push(url, [...])
    app = build_app("dialer", [routes, push], ..., on_shutdown=[hub.close])
    hub.publish(user_id, "call", CallView(...), stamp=(lease.epoch, operator.version))
"""

from services.runtime.live.hub import LiveHub, LiveLimits, Presence
from services.runtime.live.push import LivePush, Push, push_routes
from services.runtime.live.socket import (
    CLOSE_FORBIDDEN,
    CLOSE_SIGNED_OUT,
    CLOSE_TAKEN_OVER,
    CLOSE_TOO_SLOW,
    PROTOCOL,
    live_routes,
)

__all__ = [
    "CLOSE_FORBIDDEN",
    "CLOSE_SIGNED_OUT",
    "CLOSE_TAKEN_OVER",
    "CLOSE_TOO_SLOW",
    "PROTOCOL",
    "LiveHub",
    "LiveLimits",
    "LivePush",
    "Presence",
    "Push",
    "live_routes",
    "push_routes",
]
