"""Structured logs: one JSON line per event, with ids; never a phone number, an e-mail address or a token."""

import logging
import re
import sys
from collections.abc import Mapping
from typing import IO, Any

import structlog
from aiohttp.http_exceptions import HttpProcessingError
from structlog.typing import EventDict, WrappedLogger

REDACTED = "[redacted]"

_SECRET_NAMES = re.compile(
    r"password|passwd|secret|token|authorization|cookie|api_?key|phone|e164|msisdn|e?mail|^to$|^name$|full_?name|"
    r"first_?name|last_?name|address$",
    re.IGNORECASE,
)
_SECRET_SHAPES = re.compile(
    r"""
    (?:bearer|basic)\s+[\w.~+/=-]{8,}                          # an Authorization header
    | eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*                          # a signed token
    | [\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+             # an e-mail address
    | (?<=://)[^\s:/@]+:[^\s@/]+(?=@)                          # user and password in an address
    | \+\d(?:[\s().-]{0,3}\d){6,14}                             # an international number
    | \b(?:galw|whsec)_[\w+/=-]{8,}                            # our own keys
    | (?<![\w.:-])\(?0\d{1,4}\)?(?:[\s.-]{0,2}\d){6,10}(?![\w-]) # a national number with its trunk prefix
    | (?<![\w.:-])\d{9,15}(?![\w.:-])                          # bare digits as long as a number
    """,
    re.IGNORECASE | re.VERBOSE,
)


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Take out of *event* whatever looks like a number, an address or a secret; the last step before the line."""
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if _SECRET_NAMES.search(name):
        return REDACTED
    if isinstance(value, Mapping):
        return {str(key): _clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", inner) for inner in value]
    return _SECRET_SHAPES.sub(REDACTED, str(value))


class _Malformed(logging.Filter):
    """What is no HTTP is the sender's mistake, not an error of ours, and its bytes may hold what nobody should read."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell only that it came."""
        if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
            record.msg, record.args, record.exc_info = "http.malformed", (), None
            record.levelno, record.levelname = logging.INFO, "INFO"
        return True


_MALFORMED = _Malformed()


def configure_logging(service: str, level: str = "info", stream: IO[str] | None = None) -> None:
    """Write every log of this process, libraries included, as JSON lines to *stream* (standard error by default)."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.EventRenamer("event"),
                _named(service),
                redact,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    # aiokafka tells every failed reconnect as an error; our own loops tell an outage once, when it begins and ends.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("aiohttp.server").addFilter(_MALFORMED)


def _named(service: str) -> Any:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {"service": service, **event}

    return add
