"""Why calls end: Q.850 causes as Asterisk 22 derives them from SIP answers, and the reasons a client may hang up with.

The pairs are those measured on Asterisk 22.10: a ring timeout of ours, too, says 19 with 480.
"""

from typing import NamedTuple


class Cause(NamedTuple):
    """What `ChannelDestroyed` tells: the Q.850 *cause* and, when the far end refused, its SIP code."""

    cause: int
    tech_cause: int | None = None


NORMAL = Cause(16)
NOT_ANSWERED = Cause(19, 480)
RING_TIMEOUT_REQUEST = 32
"""The cause of `ChannelHangupRequest` when the time of `dial` ran out; `ChannelDestroyed` then says 19."""

_BY_SIP = {
    400: 41,
    401: 21,
    403: 21,
    404: 1,
    407: 21,
    408: 18,
    410: 22,
    480: 19,
    484: 28,
    485: 1,
    486: 17,
    487: 127,
    488: 58,
    500: 38,
    502: 27,
    503: 34,
    504: 102,
    600: 17,
    603: 21,
    604: 1,
    606: 58,
    607: 21,
    608: 21,
}
SIP_CODES = frozenset(_BY_SIP)
"""The SIP answers a simulated person or trunk can give."""

HANGUP_REASONS = {
    "normal": 16,
    "busy": 17,
    "congestion": 34,
    "no_answer": 19,
    "timeout": 102,
    "rejected": 21,
    "unallocated": 1,
    "normal_unspecified": 31,
    "number_incomplete": 28,
    "codec_mismatch": 58,
    "interworking": 127,
    "failure": 38,
    "answered_elsewhere": 26,
}
"""The values of `reason` in `DELETE /ari/channels/{id}`."""

_TEXTS = {
    1: "Unallocated (unassigned) number",
    16: "Normal Clearing",
    17: "User busy",
    18: "No user responding",
    19: "User alerting, no answer",
    21: "Call Rejected",
    22: "Number changed",
    26: "Answered elsewhere",
    27: "Destination out of order",
    28: "Invalid number format",
    31: "Normal, unspecified",
    34: "Circuit/channel congestion",
    38: "Network out of order",
    41: "Temporary failure",
    58: "Bearer capability not available",
    102: "Recover on timer expiry",
    127: "Interworking, unspecified",
}


def refused(sip: int) -> Cause:
    """Return what a SIP answer of *sip* (one of `SIP_CODES`) becomes."""
    return Cause(_BY_SIP[sip], sip)


def text_of(cause: int) -> str:
    """Return Asterisk's words for a Q.850 cause."""
    return _TEXTS.get(cause, "Unknown")
