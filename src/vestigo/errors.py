"""Every exception that Vestigo raises.

VestigoError
├─ SettingsError       a setting is missing or makes no sense       (at configure)
├─ QueryError          the question cannot be read; has .position   (HTTP 400)
│  ├─ UnsupportedQuery this backend cannot answer it                (HTTP 501)
│  └─ QueryTimeout     it took longer than it may                   (HTTP 504)
├─ ExportError         the records were not taken; .retry_after_s or None if hopeless
├─ StorageError        the backend failed
│  └─ SchemaError      the stored schema is newer than this program
└─ IngestError         malformed OTLP; has .rejected                (HTTP 400, or partial success)

After `configure` nothing in `sdk` or `instrument` raises into the program; storages, queries and commands do.
"""


class VestigoError(Exception):
    """The root of them all. Messages are short and name the value and the remedy."""


class SettingsError(VestigoError):
    """A setting, or an argument given at configuration time, is missing or makes no sense."""


class QueryError(VestigoError):
    """The question cannot be read. `position` is the offset in the text, in characters, or None."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class UnsupportedQuery(QueryError):  # noqa: N818  the name says it
    """The question is right, but this storage cannot answer it."""


class QueryTimeout(QueryError):  # noqa: N818  the name says it
    """The question took longer than it may; a narrower one will not."""


class ExportError(VestigoError):
    """The records were not taken. `retry_after_s` is when to try again, None if that is hopeless."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StorageError(VestigoError):
    """The storage failed: disk full, file damaged, path not writable."""


class SchemaError(StorageError):
    """The stored schema is newer than this program."""


class IngestError(VestigoError):
    """Records that cannot be read. `rejected` counts them."""

    def __init__(self, message: str, rejected: int = 1) -> None:
        super().__init__(message)
        self.rejected = rejected
