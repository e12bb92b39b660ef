"""Logs: one JSON object a line on standard output, from the simulator and from its libraries alike."""

import logging
import sys
from typing import Any

import structlog

_SHARED: list[Any] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def log_as_json(simulator: str) -> structlog.stdlib.BoundLogger:
    """Send every log line to standard output as JSON; return the simulator's own logger."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
        foreign_pre_chain=_SHARED,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    # httpx tells every request at INFO; the journal already does.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(simulator)
    return logger.bind(simulator=simulator)
