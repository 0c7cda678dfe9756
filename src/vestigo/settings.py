"""Every setting with its unit and default; the only reader of the environment.

A setting comes from, first to last: an argument of `configure`, `VESTIGO_<NAME>`, the `OTEL_*` variable named beside
it, the default. Bad values raise `SettingsError` with the name, the value and the remedy.
"""

import difflib
import os
import re
import tomllib
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import unquote

import msgspec

from vestigo import semconv
from vestigo.errors import SettingsError
from vestigo.record import Attributes

PROJECT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What a project may be called where requests name it."""
RedactMode = Literal["replace", "last4", "hash"]
Redact = Literal["secrets", "personal", "off"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What `configure` understands. Times in seconds, sizes in bytes, shares from 0 to 1."""

    service: str = "unknown_service"
    """Name of the program: `service.name` on every record. Also OTEL_SERVICE_NAME."""
    environment: str = ""
    """`deployment.environment.name`, such as `production`."""
    release: str = ""
    """`service.version`: which build of the program this is."""
    project: str = "default"
    """The project that records belong to."""
    storage: str = ""
    """Storage URL: memory://, file:///dir, sqlite:///path.db, http://server:4318; empty is sqlite in `data_dir`."""
    data_dir: str = "~/.vestigo"
    """Where the default storage and the spools of servers lie."""
    disabled: bool = False
    """Record nothing. Also OTEL_SDK_DISABLED."""

    api_key: str = ""
    """Key that the server of an http storage gave: sent as `Authorization: Bearer`."""
    headers: dict[str, str] = {}
    """Further headers of requests to an http storage, as key=value by comma."""
    export_form: Literal["auto", "json", "protobuf"] = "auto"
    """Form of those requests; auto is json, or protobuf where the server takes no json."""
    export_timeout_s: float = 10.0
    """The longest that one of those requests may take."""
    spool_bytes: int = 256 * 1024 * 1024
    """Disk that records may take while the server does not answer; above it the oldest go. 0 sends from memory."""
    spool_sync: bool = False
    """Whether records are safe from a loss of power too, not only from the end of the process, before they are sent."""

    sample_rate: float = 1.0
    """Share of traces kept, decided on the trace id. Also OTEL_TRACES_SAMPLER_ARG."""
    content_sample_rate: float = 1.0
    """Share of traces whose message bodies are kept; numbers are always kept."""
    tail_sample_rate: float = 1.0
    """Below 1: share of uneventful traces kept, besides every failed, slow or expensive one."""
    tail_slow_s: float = 10.0
    """Traces at least this long count as slow for tail sampling."""
    tail_cost_usd: float = 0.1
    """Traces at least this costly count as expensive for tail sampling."""
    tail_wait_s: float = 30.0
    """How long tail sampling waits for the end of a trace."""

    redact: Redact = "secrets"
    """What is hidden: secrets; secrets and personal data; nothing."""
    redact_phone: bool = False
    """Hide phone numbers too; they have no general form, so this hides other numbers as well."""
    redact_mode: RedactMode = "replace"
    """What stands in for a hidden value: [REDACTED], its last four characters, or a keyed hash."""
    redact_hash_key: str = ""
    """Key of the hash; empty takes a random key per process."""
    redact_keys: tuple[str, ...] = ()
    """Further key names whose values are hidden, by comma."""

    queue_bytes: int = 64 * 1024 * 1024
    """Memory that records may take while they wait to be written; above it new ones are dropped and counted."""
    flush_interval_s: float = 1.0
    """The longest time that a record waits before it is written."""
    exit_timeout_s: float = 2.0
    """The longest time that the end of the program waits for what is left to be written."""
    open_after_s: float = 1.0
    """Spans open for longer are written while they are open."""
    max_value_bytes: int = 4 * 1024 * 1024
    """Attribute values above this are cut, with their size and hash kept."""
    max_attributes: int = 256
    """Attributes of one span or event above this number are left out and counted."""

    prices: str = ""
    """TOML file with prices of one's own."""
    log_level: str = "INFO"
    """Least severity that LLMLogger writes: DEBUG, INFO, WARNING, ERROR. Also OTEL_LOG_LEVEL."""

    resource_attributes: dict[str, Any] = {}
    """Further attributes of every record's resource. Also OTEL_RESOURCE_ATTRIBUTES, as key=value by comma."""


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What `vestigo serve` understands. Times in seconds, sizes in bytes."""

    storage: str = ""
    """Storage URL, as for programs; empty is sqlite in `data_dir`."""
    data_dir: str = "~/.vestigo"
    """Where the default storage, keys, users, audit log and spools lie."""
    project: str = "default"
    """The project of requests that name none and whose key is for every project."""
    host: str = "127.0.0.1"
    """Address to listen on; one that is not loopback needs TLS or `behind_proxy`, and keys for everything."""
    port: int = 4318
    """Port of OTLP/HTTP, the API and the page; 0 takes a free one."""
    grpc_port: int = -1
    """Port of OTLP/gRPC; -1 takes 4317 where grpcio is installed and the port is free, -2 is off, 0 a free one."""
    root_path: str = ""
    """Path prefix that a proxy takes off, such as `/vestigo`."""
    web_dir: str = ""
    """Folder of the page's built files; empty takes those that the package brings."""
    behind_proxy: bool = False
    """A proxy in front ends TLS; its `X-Forwarded-For` and `X-Forwarded-Proto` are believed."""
    tls_certificate: str = ""
    """PEM file of the certificate chain."""
    tls_key: str = ""
    """PEM file of its private key."""
    allowed_hosts: tuple[str, ...] = ()
    """Names that requests may come by (`Host`), besides loopback names and `host`."""
    allowed_origins: tuple[str, ...] = ()
    """Other web origins, such as `https://app.example.org`, whose pages may send records (CORS)."""
    open_ingest: bool = True
    """On a loopback address, records are taken without a key."""

    max_body_bytes: int = 16 * 1024 * 1024
    """Largest request, as it comes and after decompression."""
    max_records: int = 100_000
    """Most spans, logs or points in one request."""
    max_waiting_bytes: int = 64 * 1024 * 1024
    """Request bodies that may be in work at once; above it the answer is 503 with Retry-After."""
    ingest_workers: int = 1
    """Child processes that take over decoding and redaction while there is much to do; 0 does it all in one process."""
    query_timeout_s: float = 10.0
    """The longest that one question may take."""
    query_threads: int = 4
    """Questions that are answered at once."""
    exit_timeout_s: float = 10.0
    """The longest that the end of the server waits for requests that it took."""

    redact: Redact = "secrets"
    """What is hidden before anything is written: secrets; secrets and personal data; nothing."""
    redact_phone: bool = False
    """Hide phone numbers too."""
    redact_mode: RedactMode = "replace"
    """What stands in for a hidden value: [REDACTED], its last four characters, or a keyed hash."""
    redact_hash_key: str = ""
    """Key of the hash; empty takes a random key per process."""
    redact_keys: tuple[str, ...] = ()
    """Further key names whose values are hidden, by comma."""
    max_value_bytes: int = 4 * 1024 * 1024
    """Attribute values above this are cut, with their size and hash kept."""
    prices: str = ""
    """TOML file with prices of one's own."""

    retention_days: float = 0.0
    """Traces, logs and points older than this are deleted; 0 keeps them. Policies of a project go before it."""
    retention_traces: int = 0
    """Above this many traces of a project the oldest are deleted; 0 keeps them."""
    retention_bytes: int = 0
    """Above this size of the storage the oldest traces are deleted; 0 keeps them."""
    retention_interval_s: float = 300.0
    """How often that is looked at."""

    forward: tuple[str, ...] = ()
    """OTLP/HTTP addresses that what was accepted is sent on to, by comma."""
    forward_headers: dict[str, str] = {}
    """Headers of those requests, as key=value by comma."""
    forward_filter: str = ""
    """Only spans that match are sent on, such as `-service:internal`."""
    forward_content: bool = True
    """Whether what people and models said is sent on too."""
    spool_bytes: int = 256 * 1024 * 1024
    """Disk that records may take while a receiver does not answer, for each receiver."""

    session_hours: float = 12.0
    """How long a login lasts."""
    oidc_issuer: str = ""
    """OpenID Connect issuer whose users may log in."""
    oidc_client_id: str = ""
    """Our id at that issuer."""
    oidc_client_secret: str = ""
    """Our secret at that issuer."""
    oidc_grants: str = ""
    """What a user of that issuer may do without further grants: `project:role` by comma, such as `shop:viewer`."""
    log_level: str = "INFO"
    """Least severity of the server's own log: DEBUG, INFO, WARNING, ERROR."""
    log_format: Literal["text", "json"] = "text"
    """The server's own log: lines for people, or one JSON object a line."""


_OTEL_NAMES = {
    "service": "OTEL_SERVICE_NAME",
    "disabled": "OTEL_SDK_DISABLED",
    "log_level": "OTEL_LOG_LEVEL",
    "resource_attributes": "OTEL_RESOURCE_ATTRIBUTES",
}

_SHARES = ("sample_rate", "content_sample_rate", "tail_sample_rate")
_LONGEST_S = 86_400.0  # of a wait: a lock cannot wait for ever longer times
_OTEL_LEVELS = {"WARN": "WARNING", "TRACE": "DEBUG", "VERBOSE": "DEBUG", "ALL": "DEBUG", "NONE": "CRITICAL"}
"""Levels that other OpenTelemetry SDKs take in OTEL_LOG_LEVEL."""
_POSITIVE = (
    "queue_bytes", "flush_interval_s", "max_value_bytes", "max_attributes", "tail_wait_s", "open_after_s",
    "export_timeout_s",
)  # fmt: skip


def load_settings(given: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from arguments, then the environment, then defaults; None among the arguments means "not given".

    Raises SettingsError for an unknown name or a value that makes no sense.
    """
    environ = os.environ if environ is None else environ
    values = _gather(Settings, given or {}, lambda name: environment_value(name, environ))
    if "log_level" in values:
        level = values["log_level"].upper()
        values["log_level"] = _OTEL_LEVELS.get(level, level)
    settings = Settings(**values)
    _check_ranges(settings)
    return settings


def load_server_settings(
    given: Mapping[str, object] | None = None,
    *,
    config: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> ServerSettings:
    """Settings of a server from flags, then `VESTIGO_*`, then the TOML file, then defaults.

    The file is `config`, or what VESTIGO_CONFIG names, or `vestigo.toml` in the data directory if it is there. Raises
    SettingsError for a file that cannot be read, an unknown name, or a value that makes no sense.
    """
    environ = os.environ if environ is None else environ
    told = _read_config(given or {}, config, environ)
    values = {
        **_gather(ServerSettings, told, lambda _: None),
        **_gather(ServerSettings, given or {}, lambda name: environ.get(f"VESTIGO_{name.upper()}") or None),
    }
    settings = ServerSettings(**values)
    _check_server(settings)
    return settings


def server_source(name: str, config: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    """Where a setting of the server comes from, flags aside: `environment`, `file` or `default`."""
    environ = os.environ if environ is None else environ
    if environ.get(f"VESTIGO_{name.upper()}"):
        return "environment"
    return "file" if name in _read_config({}, config, environ) else "default"


def server_value(name: str, text: str) -> Any:
    """A setting of the server as text, as a variable would hold it. Raises SettingsError."""
    known = get_type_hints(ServerSettings)
    if name not in known:
        raise SettingsError(f"unknown setting {name!r}; there are: {', '.join(known)}")
    return _parse(name, text, known[name], ServerSettings)


def _read_config(given: Mapping[str, object], config: str | None, environ: Mapping[str, str]) -> dict[str, object]:
    named = config or environ.get("VESTIGO_CONFIG")
    data_dir = given.get("data_dir") or environ.get("VESTIGO_DATA_DIR") or ServerSettings().data_dir
    path = Path(named or Path(str(data_dir)) / "vestigo.toml").expanduser()
    if not named and not path.is_file():
        return {}
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}; give another file with --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML: {error}") from None
    known = ServerSettings.__struct_fields__
    for name in told:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.5)
            raise SettingsError(
                f"{path}: unknown setting {name!r}; " + (f"did you mean {near[0]!r}?" if near else "see docs/server.md")
            )
    return told


def _gather(
    kind: type[msgspec.Struct], given: Mapping[str, object], read: Callable[[str], str | None]
) -> dict[str, Any]:
    """The values that were given, and for other names those that `read` finds as text."""
    known = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise SettingsError(f"unknown setting {name!r}; there are: {', '.join(known)}")
        if value is not None:
            values[name] = _convert(name, value, known[name], kind)
    for name, wanted in known.items():
        if name not in values:
            text = read(name)
            if text is not None:
                values[name] = _parse(name, text, wanted, kind)
    return values


def _check_server(settings: ServerSettings) -> None:
    for name in ("max_body_bytes", "max_records", "max_waiting_bytes", "query_threads", "query_timeout_s",
                 "max_value_bytes", "session_hours", "retention_interval_s"):  # fmt: skip
        if not getattr(settings, name) > 0:
            raise SettingsError(f"setting {name}={getattr(settings, name)!r} must be above 0")
    for name in (
        "ingest_workers",
        "retention_days",
        "retention_traces",
        "retention_bytes",
        "spool_bytes",
        "exit_timeout_s",
    ):
        if not getattr(settings, name) >= 0:
            raise SettingsError(f"setting {name}={getattr(settings, name)!r} must be at least 0")
    if not 0 <= settings.port <= 65_535:
        raise SettingsError(f"setting port={settings.port!r} is no port; give 0 to 65535")
    if settings.log_level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise SettingsError(f"setting log_level={settings.log_level!r}; give DEBUG, INFO, WARNING or ERROR")
    if settings.max_waiting_bytes < settings.max_body_bytes:
        raise SettingsError(
            f"setting max_waiting_bytes={settings.max_waiting_bytes} is below max_body_bytes={settings.max_body_bytes};"
            " no large request would ever be taken"
        )
    if settings.root_path and (not settings.root_path.startswith("/") or settings.root_path.endswith("/")):
        raise SettingsError(f"setting root_path={settings.root_path!r} must be like '/vestigo'")
    if not PROJECT_NAME.fullmatch(settings.project):
        raise SettingsError(
            f"setting project={settings.project!r} cannot be named in requests; give letters, digits, '.', '_' and '-'"
        )


def environment_value(name: str, environ: Mapping[str, str] | None = None) -> str | None:
    """The text that the environment holds for a setting, or None. An empty variable counts as not set."""
    environ = os.environ if environ is None else environ
    text = environ.get(f"VESTIGO_{name.upper()}") or environ.get(_OTEL_NAMES.get(name, ""))
    if not text and name == "sample_rate" and "traceidratio" in environ.get("OTEL_TRACES_SAMPLER", ""):
        text = environ.get("OTEL_TRACES_SAMPLER_ARG")
    return text or None


def default_storage_url(settings: Settings) -> str:
    """The storage that the settings name, or SQLite in the data directory."""
    if settings.storage:
        return settings.storage
    return f"sqlite:///{Path(settings.data_dir).expanduser() / 'vestigo.db'}"


def resource_attributes(settings: Settings) -> Attributes:
    """Attributes of the resource of every record that these settings make."""
    found: Attributes = {semconv.SERVICE_NAME: settings.service}
    if settings.release:
        found[semconv.SERVICE_VERSION] = settings.release
    if settings.environment:
        found[semconv.ENVIRONMENT] = settings.environment
    return {**settings.resource_attributes, **found}


def _parse(name: str, text: str, kind: Any, settings: type[msgspec.Struct]) -> Any:
    if kind is bool:
        if text.lower() in {"1", "true", "yes", "on"}:
            return True
        if text.lower() in {"0", "false", "no", "off"}:
            return False
        raise SettingsError(f"setting {name}={text!r} is no switch; use true or false")
    if get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if get_origin(kind) is dict:
        pairs = (part.partition("=") for part in text.split(",") if "=" in part)
        return {unquote(key.strip()): unquote(value.strip()) for key, _, value in pairs}
    if kind in {int, float}:
        try:
            return kind(text)
        except ValueError:
            raise SettingsError(
                f"setting {name}={text!r} is no number; give one such as {_default(name, settings)!r}"
            ) from None
    return _convert(name, text, kind, settings)


def _convert(name: str, value: object, kind: Any, settings: type[msgspec.Struct]) -> Any:
    if isinstance(value, Path):
        value = str(value)
    if name == "redact" and isinstance(value, bool):
        value = "secrets" if value else "off"
    if get_origin(kind) is tuple and isinstance(value, list):
        value = tuple(value)
    try:
        return msgspec.convert(value, kind, strict=True)
    except (msgspec.ValidationError, TypeError):
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        remedy = f"one of {', '.join(choices)}" if choices else f"a value like {_default(name, settings)!r}"
        shown = value if isinstance(value, str | int | float | bool | types.NoneType) else type(value).__name__
        raise SettingsError(f"setting {name}={shown!r} makes no sense; give {remedy}") from None


def _default(name: str, settings: type[msgspec.Struct] = Settings) -> object:
    return getattr(settings(), name)


def _check_ranges(settings: Settings) -> None:
    for name in _SHARES:
        share = getattr(settings, name)
        if not 0 <= share <= 1:
            raise SettingsError(f"setting {name}={share!r} is no share; give a number from 0 to 1")
    for name in _POSITIVE:
        value = getattr(settings, name)
        if not value > 0:
            raise SettingsError(f"setting {name}={value!r} must be above 0, such as {_default(name)!r}")
        if name.endswith("_s") and value > _LONGEST_S:
            raise SettingsError(f"setting {name}={value!r} is too long; give at most {_LONGEST_S:.0f} seconds")
    for name in ("tail_slow_s", "tail_cost_usd", "spool_bytes"):
        value = getattr(settings, name)
        if not value >= 0:
            raise SettingsError(f"setting {name}={value!r} must be at least 0, such as {_default(name)!r}")
    _check_words(settings)


def _check_words(settings: Settings) -> None:
    if not 0 <= settings.exit_timeout_s <= 60:
        raise SettingsError(f"setting exit_timeout_s={settings.exit_timeout_s!r} must be from 0 to 60 seconds")
    try:
        msgspec.json.encode(settings.resource_attributes)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise SettingsError(f"setting resource_attributes: {error}; give text, numbers and switches") from None
    if settings.log_level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
        raise SettingsError(f"setting log_level={settings.log_level!r}; give DEBUG, INFO, WARNING or ERROR")
    if not settings.service.strip():
        raise SettingsError("setting service='' is empty; give the name of your program")
    if not settings.project.strip():
        raise SettingsError("setting project='' is empty; give a name such as 'default'")
