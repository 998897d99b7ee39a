"""Closed forms that the simulator must agree with where they apply: Erlang-B, and the waits of M/M/N (Erlang-C)."""

from math import exp


def erlang_b(servers: int, load: float) -> float:
    """Return the share of calls lost when *load* erlangs are offered to *servers* and nobody waits."""
    blocked = 1.0
    for server in range(1, servers + 1):
        blocked = load * blocked / (server + load * blocked)
    return blocked


def erlang_b_load(servers: int, lost: float) -> float:
    """Return the load at which this share is lost."""
    low, high = 0.0, 10.0 * servers
    for _ in range(80):
        middle = (low + high) / 2.0
        low, high = (middle, high) if erlang_b(servers, middle) < lost else (low, middle)
    return low


def erlang_c(servers: int, load: float) -> float:
    """Return the share of calls that wait when all are patient; *load* must be below *servers*."""
    lost = erlang_b(servers, load)
    return lost / (1.0 - (load / servers) * (1.0 - lost))


def mean_wait_s(servers: int, load: float, service_s: float) -> float:
    """Return the mean wait over all calls in M/M/N."""
    return erlang_c(servers, load) * service_s / (servers - load)


def waits_longer(servers: int, load: float, service_s: float, wait_s: float) -> float:
    """Return the share of calls in M/M/N that wait longer than *wait_s*."""
    return erlang_c(servers, load) * exp(-(servers - load) * wait_s / service_s)
