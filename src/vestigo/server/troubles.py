"""What our counters say in plain words: what was lost, refused or failed, and what to do about it.

One table for every counter of that kind in the whole package, since the server counts under the same names as the
part of it that sends records on. A test holds the table to the source.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from msgspec import Struct

FORWARD: Final = "forward."
"""Before the names of what is lost on the way to other servers."""


class Trouble(Struct, kw_only=True):
    """A counter above 0 that tells of something lost, refused or failed."""

    name: str
    count: int
    meaning: str
    remedy: str


class _Words(NamedTuple):
    meaning: str
    remedy: str


_LOG: Final = "look into the server's log, and report it if it happens again"
_OTHER: Final = "look into the log of that server, and into the settings forward and forward_headers"
_PROGRAM: Final = "look into the log of the program, and report it if it happens again"

WORDS: Final[dict[str, _Words]] = {
    # the server
    "busy": _Words("Requests were put off (503): too much was in work at once.", "senders send them again by "
        "themselves; if it goes on, raise max_waiting_bytes, or send less at once"),
    "dropped.live": _Words("Changes were not shown in a live view that read too slowly.", "load the view again; "
        "the records themselves are stored"),
    "dropped.refusals": _Words("Refused requests are not in the audit log, because there were too many.",
        "find who asks: the first ones of each address are in the audit log"),
    "failed.audit": _Words("Entries could not be written to the audit log.", "see whether data_dir can be written "
        "and its disk is full"),
    "failed.live": _Words("The storage could not be read for live views.", _LOG),
    "failed.metrics": _Words("Calls are missing in the figures at /metrics.", _LOG),
    "failed.prices": _Words("The cost of calls could not be worked out.", "check the file of the setting prices; "
        "then look into the server's log"),
    "failed.request": _Words("Requests failed for a reason that nobody expected (500).", _LOG),
    "failed.tidy": _Words("Idle child processes could not be ended.", _LOG),
    "failed.worker": _Words("A worker stumbled, or its process ended too early; its work was done again.",
        "see whether the machine has run out of memory"),
    "failed.write": _Words("The storage took no records for a while (503).", "senders keep them and send them "
        "again; see whether the disk is full or the database is locked"),
    "redacted.depth": _Words("Values nested too deeply to look through were hidden.", "record what is nested less "
        "deeply, or only its parts"),
    "redacted.error": _Words("A rule for secrets failed; what it looked at was hidden to be safe.", _LOG),
    "refused.login": _Words("Logins were refused because too many failed before.", "wait as long as the answer says; "
        "if nobody knows of it, somebody guesses passwords: see the audit log"),
    "rejected.logs.malformed": _Words("Logs were rejected alone: a part of them makes no sense.", "see the reason in "
        "the answer to the sender, which logs it"),
    "rejected.logs.unreadable": _Words("Logs were rejected with their whole request, which could not be read.",
        "see the reason in the answer to the sender, which logs it"),
    "rejected.points.malformed": _Words("Data points were rejected alone: a part of them makes no sense.", "see the "
        "reason in the answer to the sender, which logs it"),
    "rejected.points.unreadable": _Words("Data points were rejected with their whole request, which could not be "
        "read.", "see the reason in the answer to the sender, which logs it"),
    "rejected.spans.malformed": _Words("Spans were rejected alone: a part of them makes no sense.", "see the reason "
        "in the answer to the sender, which logs it"),
    "rejected.spans.unreadable": _Words("Spans were rejected with their whole request, which could not be read.",
        "see the reason in the answer to the sender, which logs it"),
    # records on their way, from a program or from here to another server
    "dropped.closed": _Words("Records came after the tracer was closed.", "close it last"),
    "dropped.disk": _Words("Records could not be put into the spool.", "see whether the disk of data_dir is full"),
    "dropped.erased": _Words("Records were erased before they were sent.", "nothing: somebody asked for it"),
    "dropped.exit": _Words("The program ended before these records were written.", "give it more time by "
        "exit_timeout_s, or end it by SIGTERM"),
    "dropped.export": _Words("The storage refused these records for good.", _PROGRAM),
    "dropped.failed": _Words("A record broke the step that was to handle it, and was left out alone.", _PROGRAM),
    "dropped.poison": _Words("The storage could not take this one record.", _PROGRAM),
    "dropped.queue_full": _Words("More records waited than queue_bytes allows.", "the storage is too slow or fails: "
        "see its counters; or raise queue_bytes"),
    "dropped.refused": _Words("A server refused the records for good, as for a wrong key.", _OTHER),
    "dropped.rejected": _Words("A server took the request and not these records.", _OTHER),
    "dropped.sampled": _Words("Left out by tail sampling.", "nothing: tail_sample_rate asks for it"),
    "dropped.spool_damaged": _Words("The disk gave back something else than was written.", "check the disk"),
    "dropped.spool_full": _Words("A server was away for so long that the oldest records had to go.", "raise "
        "spool_bytes, or bring the server back sooner"),
    "dropped.too_large": _Words("A server takes no request with this record alone.", "record less in one span, or "
        "raise the limit of that server (max_body_bytes)"),
    "failed.export": _Words("Attempts to write or send failed; they are made again.", "see whether the storage "
        "answers"),
    "failed.sender": _Words("Sending stumbled and went on.", _PROGRAM),
    "failed.spool_frame": _Words("Records in the spool could not be read.", "check the disk"),
    # what is smaller than a record, in programs
    "dropped.events": _Words("Events above 10,000 of one span were left out.", "make more and smaller spans"),
    "dropped.late": _Words("Attributes were set on spans that had ended.", "set them before the span ends"),
    "dropped.log_no_stream": _Words("Log lines had nowhere to go: the program has no standard error.", "give it one, "
        "or a file"),
    "dropped.log_own": _Words("Logs of the thread that writes the records were left out.", "nothing: they would go "
        "round in a circle"),
    "dropped.log_recursion": _Words("Logs made while another one was being written were left out.", "log less inside "
        "handlers and __str__ methods"),
    "dropped.no_span": _Words("Attributes or events had no span to go to.", "set them inside a span"),
    "dropped.no_tracer": _Words("Requests were not traced: the middleware has no tracer.", "call "
        "vestigo.configure(), or give the middleware a tracer"),
    "dropped.score": _Words("Scores made no sense and were left out.", "give a name and a number or a label"),
    "failed.configure": _Words("Nothing is recorded, because the settings make no sense.", "see the program's log "
        "for the setting"),
    "failed.diagnostics": _Words("A handler of the program's logging failed on our lines.", "mend that handler"),
    "failed.log": _Words("Logs could not be made.", _PROGRAM),
    "failed.log_argument": _Words("Logs had arguments that do not fit.", "see docs/logging.md"),
    "failed.log_format": _Words("Log records could not be formatted; a mark stands in their place.", _PROGRAM),
    "failed.log_record": _Words("Records of `logging` could not be taken over.", _PROGRAM),
    "failed.log_structlog": _Words("Events of structlog could not be taken over.", _PROGRAM),
    "failed.log_value": _Words("Values too deep to walk were left out of logs.", "log their parts"),
    "failed.log_write": _Words("Log lines could not be written: the stream is closed or full.", "see whether the "
        "disk is full; the stored copies are there"),
    "failed.score": _Words("Scores could not be recorded.", _PROGRAM),
}  # fmt: skip
"""By name; the meaning is a sentence, the remedy a clause that goes on after "To do:"."""

GUARDED: Final[dict[str, str]] = {
    "answer": "what a model answered", "arguments": "arguments of a function", "attribute": "an attribute",
    "call": "a call of a model",
    "close": "the end of a tracer", "copy": "a copy of a stream", "drain": "the end of a tracer",
    "end": "the end of a span", "error": "an error", "event": "an event", "exception": "an exception",
    "exit": "the end of a span",
    "extract": "the context of a request", "inject": "the context of a request", "link": "a link",
    "metadata": "attributes of a trace", "note": "what a call was", "parent": "the parent of a span",
    "request": "a request", "response": "a response", "result": "the result of a function",
    "sampling": "whether to sample",
    "status": "a status", "stream": "parts of a stream", "told": "what was told of a call",
}  # fmt: skip
"""What `diagnostics.guard` counts in programs, as `failed.<what>`: our code failed, and the program went on."""

_TELLING: Final = ("dropped.", "failed.", "rejected.", "refused.")


def told(counts: Mapping[str, int]) -> list[Trouble]:
    """The counters above 0 that tell of trouble, with their meaning; the largest first."""
    return [
        Trouble(name=name, count=count, meaning=words.meaning, remedy=words.remedy)
        for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        if count > 0 and (words := words_of(name)) is not None
    ]


def words_of(name: str) -> _Words | None:
    """What a counter means; None for one that tells of no trouble."""
    if name.startswith(FORWARD):
        inner = words_of(name.removeprefix(FORWARD))
        return inner and _Words(f"On the way to another server (forward): {inner.meaning}", inner.remedy)
    known = WORDS.get(name)
    if known is not None or not name.startswith(_TELLING):
        return known
    what = GUARDED.get(name.removeprefix("failed."))
    if what is not None:
        return _Words(f"Could not be recorded: {what}. The program went on.", _PROGRAM)
    return _Words("Something was lost or failed that has no words yet.", _LOG)
