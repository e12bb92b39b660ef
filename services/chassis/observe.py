"""Structured logs and OpenTelemetry traces, both redacted, both as JSON lines."""

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.trace import Span, SpanKind, Tracer

from services.chassis import redact

# Spans reach their file this soon, so that a trace can be shown right after the work it tells of.
EXPORT_DELAY_MS = 200


def start(service: str, level: str, traces: Path | None) -> TracerProvider:
    """Configure logging to standard output and, where `traces` names a file, tracing. Called once, at start."""
    # Libraries speak through `logging`, which is not redacted, and on lower levels quote whole requests.
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="%(message)s", force=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _with_trace,
            _redacted,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
    if traces is not None:
        traces.parent.mkdir(parents=True, exist_ok=True)
        exporter = ConsoleSpanExporter(out=traces.open("a", encoding="utf-8"), formatter=_span_line)
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_DELAY_MS))
    trace.set_tracer_provider(provider)
    return provider


def log() -> structlog.typing.FilteringBoundLogger:
    """Return the logger; the service's name and the trace are added by themselves."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def tracer() -> Tracer:
    """Return the tracer."""
    return trace.get_tracer("florin")


def span_from(carrier: Mapping[str, str], name: str, kind: SpanKind, attributes: Mapping[str, str]) -> Any:
    """Open a span that continues the trace in `carrier` (W3C Trace Context); use it as a context manager."""
    parent = propagate.extract(carrier)
    safe = {key: redact.text(value) for key, value in attributes.items()}
    return tracer().start_as_current_span(name, context=parent, kind=kind, attributes=safe)


def calling(name: str, **attributes: str) -> Any:
    """Open the span of a call to the outside; use it as a context manager. Attributes may be added while it is open."""
    safe = {key: redact.text(value) for key, value in attributes.items()}
    return tracer().start_as_current_span(name, kind=SpanKind.CLIENT, attributes=safe)


def carrier() -> dict[str, str]:
    """Return the current trace as headers (`traceparent`), to hand it on."""
    headers: dict[str, str] = {}
    propagate.inject(headers, context=otel_context.get_current())
    return headers


def trace_id() -> str:
    """Return the current trace's id as 32 hex digits; all zeros outside a trace."""
    return trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)


def fail(span: Span, error: BaseException) -> None:
    """Mark a span as failed by its error's class; its words may tell too much and stay in the log."""
    span.set_status(trace.StatusCode.ERROR, type(error).__name__)


def _with_trace(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = trace.format_trace_id(span.trace_id)
    return event


def _redacted(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: redact.anything(value) for key, value in event.items()}


def _span_line(span: ReadableSpan) -> str:
    line = {
        "service": span.resource.attributes["service.name"],
        "name": span.name,
        "kind": span.kind.name,
        "trace_id": trace.format_trace_id(span.context.trace_id) if span.context else "",
        "span_id": trace.format_span_id(span.context.span_id) if span.context else "",
        "parent_id": trace.format_span_id(span.parent.span_id) if span.parent else "",
        "start": _instant(span.start_time),
        "end": _instant(span.end_time),
        "status": span.status.status_code.name,
        "attributes": {key: _plain(value) for key, value in (span.attributes or {}).items()},
    }
    return json.dumps(line) + "\n"


def _instant(time_ns: int | None) -> str:
    """An ISO time: a bare count of microseconds is as long as a card number and looks like one to a scanner."""
    return (datetime.fromtimestamp(0, UTC) + timedelta(microseconds=(time_ns or 0) / 1000)).isoformat()


def _plain(value: object) -> object:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
