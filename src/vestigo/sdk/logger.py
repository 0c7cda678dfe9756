"""Structured logging: `LLMLogger`, and the same for programs that log through `logging` or structlog already.

A log becomes a JSON line and, where a tracer is given, a `record.Log` of the current trace and span. What people and
models said is in neither unless the level is DEBUG; the spans have it. Nothing here raises once it is set up.
Longer than other modules because the four ways in (logger, handler, formatter, processor) must stay of one mind.
"""

import logging
import os
import threading
import time
from collections.abc import Mapping, MutableMapping
from typing import Any, NamedTuple

from msgspec import structs

from vestigo import semconv
from vestigo.diagnostics import counters
from vestigo.errors import SettingsError
from vestigo.record import METADATA_PREFIX, Log, Resource, Scope
from vestigo.redact import redactor_of
from vestigo.sdk import logformat
from vestigo.sdk.ids import is_span_id, new_trace_id, trace_id_from
from vestigo.sdk.logformat import (
    Line,
    beside,
    characters,
    copied,
    error_fields,
    error_of,
    failed,
    is_content,
    json_line,
    label,
    level_number,
    message_text,
    milliseconds,
    record_error,
    severity,
    size_mark,
    timestamp,
    token_count,
)
from vestigo.sdk.settle import cut
from vestigo.sdk.tracer import RemoteParent, SilentSpan, Tracer, current_context
from vestigo.settings import Settings, load_settings
from vestigo.values import key_text, pack

DEBUG, INFO, WARNING, ERROR, CRITICAL = 10, 20, 30, 40, 50
_LOG_BYTES = 500  # what a Log without text takes in memory

_NAMES = {number: name for name, number in logformat.LEVELS.items()}
_STRUCTLOG_LEVELS = {
    **{name.lower(): number for name, number in logformat.LEVELS.items()},
    "warn": WARNING, "exception": ERROR, "fatal": CRITICAL,
}  # fmt: skip

_ERROR_NAMES = {
    "error_type": semconv.EXCEPTION_TYPE,
    "error_message": semconv.EXCEPTION_MESSAGE,
    "stack": semconv.EXCEPTION_STACK,
    "stack_info": "code.stacktrace",
}
_CALL_NAMES = {
    **_ERROR_NAMES,
    "operation": semconv.OPERATION,
    "model": semconv.REQUEST_MODEL,
    "prompt_tokens": semconv.INPUT_TOKENS,
    "completion_tokens": semconv.OUTPUT_TOKENS,
    "latency_ms": "gen_ai.client.operation.duration",  # in seconds there
}
"""Field of a line -> attribute of the Log, as OpenTelemetry calls it."""

_OWN_FIELDS = frozenset({"timestamp", "level", "service", "event", "message", "trace_id", "span_id"})
_OWN_RECORD_FIELDS = _OWN_FIELDS | {"logger", "file", "line", "function"}
_RECORD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

_busy = threading.local()
_time_ns = time.time_ns


class LLMLogger:
    """Logs LLM calls, errors and messages as one JSON object a line.

    Lines go to standard error, since standard output belongs to what a program answers (and is the protocol of tools
    that speak over it), or to one of `stream`, `path` (a file that several processes may share) and `logger` (of
    `logging`, or its name). With a `tracer` each log is stored too, with the current trace and span.
    """

    def __init__(
        self,
        service_name: str | None = None,
        log_level: str | int | None = None,
        *,
        stream: Any = None,
        path: Any = None,
        logger: Any = None,
        tracer: Tracer | None = None,
    ) -> None:
        """Raises SettingsError for a level, a name or a place that makes no sense."""
        self._output = _Output(tracer)
        settings = self._output.settings
        if service_name is not None and (not isinstance(service_name, str) or not service_name.strip()):
            raise SettingsError(f"service_name={service_name!r} is no name; give the name of your program")
        self.service_name = key_text(service_name or settings.service)
        self._least = level_number(settings.log_level if log_level is None else log_level)
        self._content = self._least <= DEBUG
        self._sink = logformat.open_sink(stream, path, logger)
        self._carries = isinstance(self._sink, logformat.LoggerSink)
        self._resource = self._output.resource(self.service_name)

    # --- what the program calls

    def log_llm_call(
        self,
        operation: str,
        model: str,
        prompt_tokens: int | None,
        completion_tokens: int | None,
        latency_ms: float | None,
        trace_id: str | None = None,
        span_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Log one call of a model at level INFO.

        Numbers that are none, negative or not finite are written as null, shown below `invalid`, and counted.
        """
        if self._least > INFO:
            return
        try:
            invalid: dict[str, Any] = {}
            asked = token_count("prompt_tokens", prompt_tokens, invalid)
            answered = token_count("completion_tokens", completion_tokens, invalid)
            said: dict[str, Any] = {
                "operation": label(operation),
                "model": label(model),
                "prompt_tokens": asked,
                "completion_tokens": answered,
                "total_tokens": None if asked is None or answered is None else asked + answered,
                "latency_ms": milliseconds(latency_ms, invalid),
            }
            if invalid:
                said["invalid"] = invalid
            self._emit(INFO, "llm_call", said, _place(trace_id, span_id), _CALL_NAMES, self._metadata(metadata))
        except Exception as error:
            failed("log", error)

    def log_error(
        self,
        operation: str,
        error: BaseException,
        trace_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Log a failure at level ERROR, with the error's stack (at most 20,000 characters) if it was raised."""
        if self._least > ERROR:
            return
        try:
            said = {"operation": label(operation), **_error_said(error)}
            self._emit(ERROR, "error", said, _place(trace_id, None), _CALL_NAMES, self._metadata(metadata))
        except Exception as failure:
            failed("log", failure)

    def debug(self, message: object, *args: object, **fields: Any) -> None:
        """Log a message with fields. `args` are filled in with %, as `logging` does."""
        if self._least <= DEBUG:
            self._message(DEBUG, message, args, fields)

    def info(self, message: object, *args: object, **fields: Any) -> None:
        """Like `debug`, at level INFO."""
        if self._least <= INFO:
            self._message(INFO, message, args, fields)

    def warning(self, message: object, *args: object, **fields: Any) -> None:
        """Like `debug`, at level WARNING."""
        if self._least <= WARNING:
            self._message(WARNING, message, args, fields)

    def error(self, message: object, *args: object, **fields: Any) -> None:
        """Like `debug`, at level ERROR; `exc_info=True` or an exception adds type, message and stack."""
        if self._least <= ERROR:
            self._message(ERROR, message, args, fields)

    # --- how it is written

    def _message(self, level: int, message: object, args: tuple[object, ...], fields: dict[str, Any]) -> None:
        try:
            place = _place(fields.pop("trace_id", None), fields.pop("span_id", None)) if fields else _place(None, None)
            event = label(fields.pop("event", None)) or "log"
            error = error_of(fields.pop("exc_info", None))
            said: dict[str, Any] = {"message": message_text(message, args, content=self._content)}
            if fields:
                said.update(beside(copied(fields, content=self._content), _OWN_FIELDS))
            if error is not None:
                said.update(error_fields(error))
            self._emit(level, event, said, place, {} if error is None else _ERROR_NAMES)
        except Exception as failure:
            failed("log", failure)

    def _metadata(self, metadata: object) -> Any:
        return {} if metadata is None else copied(metadata, content=self._content)

    def _emit(
        self,
        level: int,
        event: str,
        said: dict[str, Any],
        place: "_Place",
        names: Mapping[str, str],
        metadata: Any = None,
    ) -> None:
        if getattr(_busy, "writing", False):  # the stream, or a handler of the logger, logs what we write
            counters.add("dropped.log_recursion")
            return
        time_ns = _time_ns()
        head = {"timestamp": timestamp(time_ns), "level": _NAMES[level], "service": self.service_name}
        shown = {"event": event, **said}
        if metadata is not None:
            shown["metadata"] = metadata
        line = self._output.line(head, shown, place)
        if self._carries or self._output.tracer is not None:
            attributes = _attributes(said, names, metadata)
            log = self._output.log(time_ns, level, _body_of(said), attributes, place, event)
            log.scope, log.resource = self._output.scope, self._resource
            stored_by = self._output.put(log)
            if self._carries:
                line = Line(line)
                line.log, line.stored_by = log, stored_by
        _busy.writing = True
        try:
            self._sink.write(line, level)
        except Exception as error:
            failed("log_write", error)
        finally:
            _busy.writing = False


class VestigoHandler(logging.Handler):
    """A handler of `logging` that stores what a program logs already, with the current trace and span.

    Texts below content keys (`prompt`, `messages`, ...) are stored as sizes unless `content` is true; by default it
    is where the tracer's `log_level` is DEBUG. What Vestigo itself logs is left out.
    """

    def __init__(self, tracer: Tracer, level: str | int = logging.NOTSET, *, content: bool | None = None) -> None:
        """Raises SettingsError for what is no tracer or no level."""
        super().__init__(level_number(level))
        self._output = _Output(tracer)
        if self._output.tracer is None:
            raise SettingsError("tracer=None stores nothing; give vestigo.Tracer('name', storage)")
        self._content = self._output.content if content is None else content

    def handle(self, record: logging.LogRecord) -> Any:
        """Filter and store, without the lock that other handlers hold meanwhile: a pipeline takes from any thread."""
        if record.name == "vestigo" or record.name.startswith("vestigo."):
            return False
        found = self.filter(record)
        if isinstance(found, logging.LogRecord):
            record = found
        if found:
            self.emit(record)
        return found

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(_busy, "storing", False):  # reading the record's arguments logs
            counters.add("dropped.log_recursion")
            return
        _busy.storing = True
        try:
            if not self._seen(record):
                self._store(record)
        except Exception as error:
            failed("log_record", error)
        finally:
            _busy.storing = False

    def _seen(self, record: logging.LogRecord) -> bool:
        """Whether this pipeline has the record: it comes again where a logger and its parent both have a handler."""
        seen: tuple[Any, ...] = getattr(_busy, "seen", (None,))
        token = id(self._output.pipeline)
        if seen[0] is record:
            if token in seen:
                return True
            _busy.seen = (*seen, token)
        else:
            _busy.seen = (record, token)  # the last record of each thread stays alive, so that `is` cannot err
        return False

    def _store(self, record: logging.LogRecord) -> None:
        carried = record.__dict__.get("_vestigo")
        if isinstance(carried, Line) and carried.log is not None:
            if carried.stored_by != self._output.token:
                self._output.put(self._output.adopt(carried.log))
            return
        body, fields, place = _read(record)
        attributes = _stored(fields, content=self._content)
        attributes["code.file.path"], attributes["code.line.number"] = record.pathname, record.lineno
        attributes["code.function.name"] = record.funcName
        attributes.update((_ERROR_NAMES[key], item) for key, item in record_error(record).items())
        body = copied(body, content=self._content)
        output = self._output
        level = record.levelno if isinstance(record.levelno, int) else INFO
        log = output.log(int(record.created * 1e9), level, body, attributes, place)
        log.scope = Scope(str(record.name))
        output.put(log)


class JSONFormatter(logging.Formatter):
    """A formatter of `logging`: each record as one JSON object on one line, whatever its message holds.

    The first five parameters are `logging.Formatter`'s, so that configuration files may name this class; they change
    nothing. Secrets are hidden as the tracer's settings say, or those of the environment; content as VestigoHandler's.
    """

    def __init__(
        self,
        fmt: str | None = None,  # noqa: ARG002
        datefmt: str | None = None,  # noqa: ARG002
        style: str = "%",  # noqa: ARG002
        validate: bool = True,  # noqa: ARG002
        *,
        defaults: Mapping[str, Any] | None = None,  # noqa: ARG002
        service_name: str | None = None,
        tracer: Tracer | None = None,
        content: bool | None = None,
    ) -> None:
        super().__init__()
        self._output = _Output(tracer)
        self._service = service_name
        self._content = self._output.content if content is None else content

    def format(self, record: logging.LogRecord) -> str:
        carried = record.__dict__.get("_vestigo")
        if isinstance(carried, str):  # an LLMLogger's line, finished already
            return carried
        try:
            return self._line(record)
        except Exception as error:
            failed("log_format", error)
            return json_line({"level": str(record.levelname), "message": f"<cannot format: {type(error).__name__}>"})

    def _line(self, record: logging.LogRecord) -> str:
        body, fields, place = _read(record)
        head: dict[str, Any] = {"timestamp": timestamp(int(record.created * 1e9)), "level": label(record.levelname)}
        if self._service is not None:
            head["service"] = self._service
        head["logger"] = label(record.name)
        said = {"message": copied(body, content=self._content)}
        said.update(beside(copied(fields, content=self._content), _OWN_RECORD_FIELDS))
        said.update(record_error(record))
        code = {"file": label(record.pathname), "line": record.lineno, "function": label(record.funcName)}
        return self._output.line(head, said, place, code)


class StructlogProcessor:
    """A structlog processor: adds `trace_id` and `span_id` to the event and, with a tracer, stores it.

    Put it before the renderer and before whatever turns exceptions into text. Events pass on unchanged otherwise.
    """

    def __init__(self, tracer: Tracer | None = None, *, content: bool | None = None) -> None:
        self._output = _Output(tracer)
        self._content = self._output.content if content is None else content

    def __call__(self, logger: Any, method_name: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        try:
            place = _place(event_dict.get("trace_id"), event_dict.get("span_id"))
            if self._output.tracer is not None and not getattr(_busy, "storing", False):
                self._store(logger, method_name, dict(event_dict), place)
            if place.shown is not None:
                event_dict.setdefault("trace_id", place.shown)
                if place.span_id is not None:
                    event_dict.setdefault("span_id", place.span_id)
        except Exception as error:
            failed("log_structlog", error)
        return event_dict

    def _store(self, logger: Any, method: str, event: dict[Any, Any], place: "_Place") -> None:
        _busy.storing = True  # storing asks the event's values for their text, which may log
        try:
            level = _STRUCTLOG_LEVELS.get(str(event.pop("level", method)).lower(), INFO)
            error = error_of(event.pop("exc_info", None) or method == "exception")
            name = event.pop("logger", None) or getattr(logger, "name", None)
            body = copied(event.pop("event", ""), content=self._content)
            attributes = _stored(_plain(event), content=self._content)
            if error is not None:
                attributes.update((_ERROR_NAMES[key], item) for key, item in error_fields(error).items())
            log = self._output.log(_time_ns(), level, body, attributes, place)
            log.scope = Scope(name if isinstance(name, str) else "structlog")
            self._output.put(log)
        finally:
            _busy.storing = False


# --- where logs belong, and where they go


class _Place(NamedTuple):
    """The trace and span of a log."""

    trace_id: str | None
    span_id: str | None
    weight: float
    """0 in a trace that sampling left out."""
    correlation: str | None = None
    """The id that was given, where it is no trace id."""

    @property
    def shown(self) -> str | None:
        """What the line says: the id that the program knows."""
        return self.correlation or self.trace_id


_NOWHERE = _Place(None, None, 1.0)


def _place(trace_id: object, span_id: object) -> _Place:
    """The given trace and span, or the current ones. A given trace takes the current span only if it is its own."""
    context = current_context()
    if context is None:
        here = _NOWHERE
    elif isinstance(context, RemoteParent):
        here = _Place(context.trace_id, context.span_id, 0.0 if context.sampled is False else context.weight)
    elif isinstance(context, SilentSpan):
        here = _Place(context.trace_id, None, 0.0)
    else:
        here = _Place(context.record.trace_id, context.record.span_id, context.record.weight)
    if trace_id is None and span_id is None:
        return here
    correlation = None
    if trace_id is not None:
        given, correlation = trace_id_from(key_text(trace_id))
        if given != here.trace_id:
            here = _Place(given, None, 1.0)
    if span_id is not None:
        text = key_text(span_id).lower()
        if is_span_id(text):
            here = here._replace(span_id=text)
        else:
            counters.add("failed.log_argument")
    return here._replace(correlation=correlation)


class _Output:
    """What the loggers, handlers and processors share: how lines are made safe, and how Logs are handed over."""

    def __init__(self, tracer: Tracer | None) -> None:
        if tracer is not None and not isinstance(tracer, Tracer):
            raise SettingsError(f"tracer={tracer!r} is no Tracer; give vestigo.Tracer('name', storage)")
        self.tracer = tracer
        self.settings: Settings = load_settings({}) if tracer is None else tracer.settings
        self.content = level_number(self.settings.log_level) <= DEBUG
        self._own = redactor_of(self.settings, counters) if tracer is None else None
        self.scope = Scope("vestigo") if tracer is None else tracer.scope

    @property
    def pipeline(self) -> Any:
        return None if self.tracer is None else self.tracer.pipeline

    @property
    def token(self) -> tuple[int, int]:
        return os.getpid(), id(self.pipeline)

    def resource(self, service: str | None) -> Resource:
        if self.tracer is None:
            return Resource({semconv.SERVICE_NAME: service or self.settings.service})
        if service is None or service == self.settings.service:
            return self.tracer.resource
        return Resource({**self.tracer.resource.attributes, semconv.SERVICE_NAME: service})

    def line(
        self, head: dict[str, Any], said: dict[str, Any], place: _Place, tail: Mapping[str, Any] | None = None
    ) -> str:
        """The line, with secrets hidden in what was said and long texts cut."""
        redactor = self._own if self.tracer is None else self.tracer.pipeline.redactor
        trace_id = place.shown
        if redactor is not None:
            said = redactor.value(said)
            if place.correlation is not None:
                trace_id = redactor.text(place.correlation)
        fields = {**head, **said, "trace_id": trace_id, "span_id": place.span_id, **(tail or {})}
        line = json_line(fields)
        if len(line) * 4 > self.settings.max_value_bytes:
            line = json_line(cut(fields, self.settings.max_value_bytes))
        return line

    def log(
        self, time_ns: int, level: int, body: Any, attributes: dict[str, Any], place: _Place, event: str = ""
    ) -> Log:
        if place.correlation is not None:
            attributes[semconv.CORRELATION_ID] = place.correlation
        log = Log(time_ns, severity(level), body, event, attributes, place.trace_id, place.span_id)
        log.resource, log.weight, log.log_id = self.resource(None), place.weight, new_trace_id()
        return log

    def put(self, log: Log) -> tuple[int, int] | None:
        """Hand a Log to the pipeline, unless its trace was left out. Returns who has it."""
        if self.tracer is None or self.settings.disabled:
            return None
        if log.weight <= 0:
            counters.add("sampled_out.logs")
        elif threading.current_thread().name == "vestigo":  # the worker itself: writing this would log again, for ever
            counters.add("dropped.log_own")
        else:
            self.tracer.pipeline.put_log(log, _size(log))
        return self.token

    def adopt(self, log: Log) -> Log:
        """A copy of a Log that another output made, with our resource below its own."""
        ours = {} if self.tracer is None else self.tracer.resource.attributes
        return structs.replace(
            log,
            body=copied(log.body, content=True),
            attributes=copied(log.attributes, content=True),
            resource=Resource({**ours, **log.resource.attributes}),
        )


def _size(log: Log) -> int:
    size = _LOG_BYTES + characters(log.body)
    for key, item in log.attributes.items():
        held: Any = item
        size += len(key) + (len(held) if type(held) is bytes else characters(held))
    return size


# --- from arguments and records to fields


def _error_said(error: object) -> dict[str, Any]:
    if isinstance(error, BaseException):
        return error_fields(error)
    counters.add("failed.log_argument")
    if isinstance(error, type) and issubclass(error, BaseException):
        return {"error_type": logformat.error_name(error), "error_message": ""}
    return {"error_type": None, "error_message": label(error)}


def _body_of(said: Mapping[str, Any]) -> Any:
    if "message" in said:
        return said["message"]
    about = said["model"] if "model" in said else said["error_type"]
    return " ".join(text for text in (said["operation"], about) if text)


def _attributes(said: Mapping[str, Any], names: Mapping[str, str], metadata: Any) -> dict[str, Any]:
    """What the Log says beside its body: the fields by OpenTelemetry's names, the metadata by `metadata.<key>`."""
    found: dict[str, Any] = {}
    for key, item in said.items():
        if item is not None and key != "message" and not (names is _CALL_NAMES and key == "total_tokens"):
            found[names.get(key, key)] = item / 1000 if names is _CALL_NAMES and key == "latency_ms" else item
    if names and semconv.EXCEPTION_TYPE in found:
        found[semconv.ERROR_TYPE] = found[semconv.EXCEPTION_TYPE]
    if isinstance(metadata, dict):
        for key, item in metadata.items():
            found.setdefault(key if key.startswith("gen_ai.") else METADATA_PREFIX + key, item)
    elif metadata is not None:
        found["metadata"] = metadata
    return found


def _stored(fields: Mapping[Any, Any], *, content: bool) -> dict[str, Any]:
    """Attributes as the pipeline takes them: scalars as they are, anything else copied or packed."""
    attributes: dict[str, Any] = {}
    for key, item in fields.items():
        name, kind = key_text(key), type(item)
        if kind is int or kind is float or kind is bool or item is None:
            attributes[name] = item
        elif content:
            attributes[name] = item if kind is str else pack(item)
        elif is_content(name):
            kept = copied(item, content=True)
            attributes[name] = size_mark(kept) if isinstance(kept, str | list | dict) else kept
        else:
            attributes[name] = item if kind is str else copied(item, content=False)
    return attributes


def _read(record: logging.LogRecord) -> tuple[Any, dict[str, Any], _Place]:
    """Message, further fields and place of a record of `logging`; structlog puts its whole event into the message."""
    fields = {key: item for key, item in record.__dict__.items() if key not in _RECORD_FIELDS and key[:1] != "_"}
    message: Any = record.msg
    if isinstance(message, dict) and not record.args:
        if "event" in message:
            event = {"trace_id": None, "span_id": None, **message}
            message = event.pop("event")
            fields = {"trace_id": event["trace_id"], "span_id": event["span_id"], **_plain(event), **fields}
    else:
        try:
            message = record.getMessage()
        except Exception:  # arguments that do not fit
            args = record.args if isinstance(record.args, tuple) else (record.args,)
            message = message_text(message, args, content=False)
    place = _place(fields.pop("trace_id", None), fields.pop("span_id", None))
    return message, fields, place


def _plain(fields: dict[Any, Any]) -> dict[Any, Any]:
    """A structlog event without what structlog keeps for itself, and without what a Log says elsewhere."""
    said = {"trace_id", "span_id", "timestamp", "level", "exc_info", "stack_info"}
    return {key: item for key, item in fields.items() if key not in said and not str(key).startswith("_")}
