"""What one log line holds and how it reaches its place: levels, times, hidden content, JSON, sinks.

`logger.py` decides what is logged; nothing here knows of tracers. A line is one JSON object and one write call, so
that lines of several threads and processes never mix. Longer than other modules because it holds both ends of a line.
"""

import contextlib
import logging
import math
import os
import re
import stat
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol, cast

import msgspec

from vestigo import semconv
from vestigo.diagnostics import counters, trouble
from vestigo.errors import SettingsError
from vestigo.record import Log
from vestigo.values import clean_text, describe_error, key_text, pack, tidy, unpack

LEVELS: Final = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
_SPELLINGS = {**LEVELS, "WARN": 30, "FATAL": 50}
MAX_STACK_CHARACTERS: Final = 20_000

_CONTENT_WORDS = frozenset(
    """prompt prompts systemprompt userprompt messages history chathistory completion completions response responses
    responsetext answer question input inputs inputtext output outputs outputtext content contents instructions
    choices delta""".split()  # noqa: SIM905  a list of words reads better as one
)
# JSON escapes what is below U+0020; these end a line for some readers or command a terminal
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029]")
_TORN_LOOKS, _TORN_WAIT_S = 10, 0.005
_MOST_TOKENS = 1 << 62  # so that the sum of two fits 64 bits
_encode = msgspec.json.Encoder().encode


# --- levels, times


def level_number(level: object) -> int:
    """A level's number as `logging` has it. Raises SettingsError for anything but a level's name or number."""
    if isinstance(level, str):
        found = _SPELLINGS.get(level.strip().upper())
        if found is not None:
            return found
    elif isinstance(level, int) and not isinstance(level, bool) and level >= 0:
        return level
    raise SettingsError(f"log_level={level!r} is no level; give DEBUG, INFO, WARNING, ERROR or CRITICAL")


def severity(level: int) -> int:
    """OpenTelemetry's severity number, 1 to 24, of a level of `logging`: 10 debug is 5, 20 info is 9, ... 50 is 21.

    Levels in between take the finer steps (25 is 12), those below 10 are the trace levels 1 to 4.
    Source: OpenTelemetry specification, Logs Data Model, SeverityNumber.
    """
    if level < 10:
        return 1 + min(max(level - 5, 0), 3)
    tens, rest = divmod(min(level, 59), 10)
    return 4 * tens + 1 + min(rest, 3)


_second: tuple[int, str] = (0, "1970-01-01T00:00:00")


def timestamp(time_ns: int) -> str:
    """`2026-01-31T23:59:59.123456Z`: ISO 8601, UTC, microseconds."""
    global _second
    second, rest = divmod(time_ns, 1_000_000_000)
    known, text = _second
    if known != second:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _second = (second, text)  # one assignment, so that another thread sees both or neither
    return f"{text}.{rest // 1000:06d}Z"


# --- content


@lru_cache(maxsize=4096)
def is_content(key: str) -> bool:
    """Whether a key names what people and models said: `prompt`, `messages`, `gen_ai.prompt.0.content`, ..."""
    if key in semconv.CONTENT_ATTRIBUTES:
        return True
    return key.rpartition(".")[2].lower().replace("_", "").replace("-", "") in _CONTENT_WORDS


def hide_content(tree: dict[str, Any]) -> None:
    """Replace texts and containers below content keys, at any depth, by their sizes. Numbers stay. In place."""
    for key, item in tree.items():
        kind = type(item)
        if kind is not str and kind is not dict and kind is not list:
            continue
        if is_content(key):
            tree[key] = size_mark(item)
        elif kind is not str:
            _hide_below(item)


def _hide_below(value: Any) -> None:
    if type(value) is dict:
        hide_content(value)
    elif type(value) is list:
        for item in value:
            _hide_below(item)


def size_mark(value: Any) -> str:
    """`<1234 characters>`, or `<3 items, 1234 characters>` for a container."""
    if type(value) is str:
        return f"<{len(value)} characters>"
    return f"<{len(value)} items, {characters(value)} characters>"


def characters(value: Any) -> int:
    """How many characters of text a JSON value holds, without keys."""
    kind = type(value)
    if kind is str:
        return len(value)
    if kind is list:
        return sum(map(characters, value))
    if kind is dict:
        return sum(map(characters, value.values()))
    return 0


def copied(value: object, *, content: bool) -> Any:
    """A bounded copy made of JSON values, without content unless told so. Never raises."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return tidy(value)
    try:
        tree = unpack(pack(value))
        if not content:
            _hide_below(tree)
    except Exception as error:  # a tree so deep that walking it ends in a RecursionError
        counters.add("failed.log_value")
        return f"<cannot read {kind.__name__}: {type(error).__name__}>"
    return tree


def error_fields(error: BaseException) -> dict[str, Any]:
    """`error_type`, `error_message`, and `stack` (its last 20,000 characters) if the error was ever raised."""
    fields: dict[str, Any] = {"error_type": error_name(type(error)), "error_message": describe_error(error)}
    if error.__traceback__ is not None or error.__cause__ is not None:
        fields["stack"] = stack_text(error)
    return fields


def record_error(record: logging.LogRecord) -> dict[str, Any]:
    """What `error_fields` says of the record's exception, and `stack_info`."""
    error = error_of(record.exc_info)
    found = {} if error is None else error_fields(error)
    if error is None and record.exc_text:  # it came from another process
        found["stack"] = record.exc_text[-MAX_STACK_CHARACTERS:]
    if record.stack_info:
        found["stack_info"] = record.stack_info[-MAX_STACK_CHARACTERS:]
    return found


def stack_text(error: BaseException) -> str:
    """The stack as Python prints it, its last 20,000 characters. Never raises."""
    try:
        text = "".join(traceback.format_exception(error))
    except Exception as failure:  # the program's own exceptions are asked for their text here
        return f"<cannot read stack: {type(failure).__name__}>"
    return text if len(text) <= MAX_STACK_CHARACTERS else "…" + text[-MAX_STACK_CHARACTERS:]


def error_name(kind: type[BaseException]) -> str:
    """`ValueError`, or `package.module.Name` for a class that is not built in."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


# --- arguments


def label(value: object) -> str | None:
    return None if value is None else key_text(value)


def token_count(name: str, value: object, invalid: dict[str, Any]) -> int | None:
    if value is None or (type(value) is int and 0 <= value < _MOST_TOKENS):
        return value
    number = _number(value)
    if number is not None and 0 <= number < _MOST_TOKENS and number == int(number):
        return int(number)
    return _refuse(name, value, invalid)


def milliseconds(value: object, invalid: dict[str, Any]) -> float | None:
    number = _number(value)
    if number is not None and number >= 0:
        return round(number, 3)
    return None if value is None else _refuse("latency_ms", value, invalid)


def _refuse(name: str, value: object, invalid: dict[str, Any]) -> None:
    counters.add("failed.log_argument")
    invalid[name] = copied(value, content=False)


def _number(value: Any) -> float | None:
    """Any kind of number, or text of one, as a finite float."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except Exception:  # the program's own class may raise anything
        return None
    return number if math.isfinite(number) else None


def error_of(exc_info: object) -> BaseException | None:
    """The exception that `exc_info` means in `logging`: true, an exception, or a tuple of three."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        found = exc_info[1] if len(exc_info) == 3 else None
        return found if isinstance(found, BaseException) else None
    return sys.exc_info()[1] if exc_info is True or exc_info == 1 else None


def message_text(message: Any, args: tuple[object, ...], *, content: bool) -> Any:
    if not args:
        return copied(message, content=content)
    try:
        if len(args) == 1 and isinstance(args[0], Mapping) and args[0]:
            return clean_text(str(message) % args[0])
        return clean_text(str(message) % args)
    except Exception:
        counters.add("failed.log_argument")
        return f"{key_text(message)} {json_line({'args': copied(args, content=False)})}"


def beside(fields: Any, own: frozenset[str]) -> dict[str, Any]:
    """Fields of the program, with an underscore after the names that are ours."""
    if not isinstance(fields, dict):  # a marker, where they could not be read
        return {"fields": fields}
    return {f"{key}_" if key in own else key: item for key, item in fields.items()}


# --- JSON


class Line(str):
    """A finished line that travels through `logging` on its record, with the Log that says the same.

    A `str`, since other people's formatters and pickles meet it too.
    """

    __slots__ = ("log", "stored_by")

    log: Log | None
    stored_by: tuple[int, int] | None
    """Process id and id() of the pipeline that has the Log already."""

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # in another process it is plain text, which needs none of our code there
        return str, (str.__str__(self),)


def json_line(fields: dict[str, Any]) -> str:
    """One JSON object on one line, without its end; `fields` are JSON values."""
    line = _encode(fields).decode()
    return line if line.isascii() else _UNSAFE.sub(_escape, line)


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _ascii_line(line: str) -> str:
    """The same JSON in ASCII, for streams that cannot say more."""
    return "".join(
        char if char < "\x80" else "".join(f"\\u{unit:04x}" for unit in memoryview(char.encode("utf-16-le")).cast("H"))
        for char in line
    )


# --- sinks


class Sink(Protocol):
    """Where lines go. `write` may raise; its caller counts that."""

    def write(self, line: str, level: int, /) -> None: ...


def open_sink(stream: Any, path: Any, logger: Any) -> Sink:
    """The sink for at most one of three; standard error for none. Raises SettingsError."""
    given = [name for name, value in (("stream", stream), ("path", path), ("logger", logger)) if value is not None]
    if len(given) > 1:
        raise SettingsError(f"{' and '.join(given)} given; lines go to one place, so give one of them")
    if path is not None:
        return file_sink(path)
    if logger is not None:
        return LoggerSink(logger)
    if stream is not None and not callable(getattr(stream, "write", None)):
        raise SettingsError(f"stream={stream!r} has no write(); give a stream such as sys.stderr, or path=")
    return StreamSink(stream)


class StreamSink:
    """One write and one flush per line on a text or binary stream; None is whatever `sys.stderr` is at the time."""

    def __init__(self, stream: Any) -> None:
        self._given = stream
        self._stream: Any = None
        self._lock = threading.RLock()
        _sinks.add(self)

    def write(self, line: str, _level: int, /) -> None:
        stream = self._given if self._given is not None else sys.stderr
        if stream is None:  # a program without a console
            counters.add("dropped.log_no_stream")
            return
        if stream is not self._stream:
            self._stream, self._lock = stream, _lock_of(stream)
        text = f"{line}\n"
        with self._lock:
            try:
                stream.write(text)
            except UnicodeEncodeError:
                stream.write(_ascii_line(text))
            except TypeError:
                stream.write(cast("Any", text.encode()))
            flush = getattr(stream, "flush", None)
            if flush is not None:
                flush()

    def forget_lock(self) -> None:
        self._stream, self._lock = None, threading.RLock()


_locks: "weakref.WeakKeyDictionary[Any, Any]" = weakref.WeakKeyDictionary()


def _lock_of(stream: Any) -> Any:
    """One lock per stream, however many loggers write on it. Re-entrant: a signal may come while we hold it."""
    try:
        return _locks.setdefault(stream, threading.RLock())
    except TypeError:  # not hashable, or takes no weak reference
        return threading.RLock()


def file_sink(path: Any) -> "FileSink":
    """The sink of a file, one per file and process. Makes the directory. Raises SettingsError if it cannot write."""
    try:
        full = str(Path(path).expanduser().absolute())
    except (TypeError, RuntimeError):
        raise SettingsError(f"path={path!r} is no path; give one such as 'logs/app.jsonl'") from None
    sink = _files.get(full) or FileSink(full)
    try:
        sink.prepare()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise SettingsError(f"cannot write log file {full!r} ({why}); give a file that may be written") from None
    return _files.setdefault(full, sink)


class FileSink:
    """Appends whole lines with one system call each, so that several processes may share the file.

    A file that was moved away or deleted, as logrotate does, is opened anew before the next line.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._handle = _Handle()
        # not __del__, in whose course another thread may still get the sink out of `_files`
        weakref.finalize(self, _close, self._handle).atexit = False
        self._identity = (0, 0)
        self._torn = False
        """True while the file ends in half a line: the next line must not be glued to it."""
        self._lock = threading.RLock()
        _sinks.add(self)

    def prepare(self) -> None:
        """Make the directory and open the file, so that a mistake shows at once. Raises OSError or ValueError."""
        Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            self._follow()

    def write(self, line: str, _level: int, /) -> None:
        data = f"{line}\n".encode()
        with self._lock:
            self._follow()
            if self._torn:
                data = b"\n" + data
            self._append(data)

    def _append(self, data: bytes) -> None:
        written = 0
        try:
            while written < len(data):  # a disk that is almost full takes a part
                written += os.write(self._handle.fd, data[written:])
        finally:
            if written:
                self._torn = written < len(data)

    def _follow(self) -> None:
        try:
            found = os.stat(self._path)  # noqa: PTH116  a third of the time of a Path, at each line
            if (found.st_dev, found.st_ino) == self._identity:
                return
        except OSError:  # moved away, or a directory above it is
            pass
        before = self._handle.fd
        try:
            self._open()
        except OSError:
            if before < 0 or os.fstat(before).st_nlink == 0:
                raise  # deleted: nobody would ever see the line
            return  # moved, and we may not make a new one: the moved file still takes lines
        if before >= 0:
            os.close(before)

    def _open(self) -> None:
        # prompts may be in it: not for everybody, but for a group that ships logs
        self._handle.fd = os.open(
            self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o640
        )
        found = os.fstat(self._handle.fd)
        self._identity = (found.st_dev, found.st_ino)
        self._torn = stat.S_ISREG(found.st_mode) and found.st_size > 0 and not _ends_a_line(self._path)

    def forget_lock(self) -> None:
        self._lock = threading.RLock()


class _Handle:
    """A file descriptor that outlives its sink by a moment."""

    __slots__ = ("fd",)

    def __init__(self) -> None:
        self.fd = -1


def _close(handle: _Handle) -> None:
    if handle.fd >= 0:
        with contextlib.suppress(OSError):  # somebody else may have closed it
            os.close(handle.fd)


def _ends_a_line(path: str) -> bool:
    """False if the file ends in half a line for good, not only while another process is writing it."""
    try:
        with Path(path).open("rb") as file:
            for _ in range(_TORN_LOOKS):
                file.seek(-1, os.SEEK_END)
                if file.read(1) == b"\n":
                    return True
                time.sleep(_TORN_WAIT_S)
    except OSError:  # writable but not readable
        return True
    return False


class LoggerSink:
    """Lines as messages of a logger of `logging`: its level, filters, handlers and propagation apply."""

    def __init__(self, logger: Any) -> None:
        if isinstance(logger, str):
            logger = logging.getLogger(logger)
        if not isinstance(logger, logging.Logger | logging.LoggerAdapter):
            raise SettingsError(f"logger={logger!r} is no logger; give logging.getLogger('name') or its name")
        self._logger = cast("logging.Logger", logger)

    def write(self, line: str, level: int, /) -> None:
        frame, depth = sys._getframe(1), 2
        while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith("vestigo."):
            frame, depth = frame.f_back, depth + 1
        self._logger.log(level, line, extra={"_vestigo": line}, stacklevel=depth)


_sinks: "weakref.WeakSet[StreamSink | FileSink]" = weakref.WeakSet()
_files: "weakref.WeakValueDictionary[str, FileSink]" = weakref.WeakValueDictionary()


def _after_fork_in_child() -> None:
    """Fresh locks: another thread may have held one when the process forked."""
    _locks.clear()
    for sink in list(_sinks):
        sink.forget_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def failed(what: str, error: Exception) -> None:
    """Count and tell that a line or a record was lost; all that the program notices of it."""
    counters.add(f"failed.{what}")
    trouble(f"failed.{what}", f"could not log: {type(error).__name__} ({what})")
