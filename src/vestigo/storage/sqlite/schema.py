"""The tables, and the way from an older file to this version.

Rows are narrow: names and ids that repeat are numbers (`name`, `term`, `origin`), message bodies stand apart, stored
once by content and compressed. Lists and charts read `trace`, `span` and `rollup` and never a body.
"""

from collections.abc import Callable
from typing import Final

import apsw

from vestigo.errors import SchemaError

APPLICATION_ID: Final = 0x56455354  # "VEST": tells our files from other SQLite files
VERSION: Final = 2

_V1: Final = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE project(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE name(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE term(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE origin(
  id INTEGER PRIMARY KEY, body BLOB NOT NULL UNIQUE, service TEXT, env TEXT, release TEXT);
CREATE TABLE dictionary(id INTEGER PRIMARY KEY, class TEXT NOT NULL, body BLOB NOT NULL);

CREATE TABLE body(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, content BLOB NOT NULL);
CREATE INDEX body_hash ON body(hash);
CREATE TABLE mention(body INTEGER NOT NULL, trace INTEGER NOT NULL, PRIMARY KEY(body, trace)) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(
  text, content='', contentless_delete=1, detail=none, tokenize="unicode61 remove_diacritics 0");

CREATE TABLE trace(
  id INTEGER PRIMARY KEY, project INTEGER NOT NULL, trace_id BLOB NOT NULL,
  start_ns INTEGER NOT NULL, end_ns INTEGER, duration_ns INTEGER NOT NULL, status INTEGER NOT NULL,
  root INTEGER, name INTEGER, origin INTEGER, error TEXT,
  spans INTEGER NOT NULL, errors INTEGER NOT NULL, open_spans INTEGER NOT NULL, calls INTEGER NOT NULL,
  tokens_in INTEGER, tokens_out INTEGER, tokens_cached INTEGER, tokens_reasoning INTEGER,
  cost REAL, unpriced INTEGER NOT NULL, session INTEGER, user INTEGER, weight REAL NOT NULL,
  UNIQUE(project, trace_id));
CREATE INDEX trace_start ON trace(project, start_ns);
CREATE INDEX trace_slow ON trace(project, duration_ns, start_ns);
CREATE INDEX trace_error ON trace(project, start_ns) WHERE status = 2;

CREATE TABLE span(
  id INTEGER PRIMARY KEY, trace INTEGER NOT NULL, span_id BLOB NOT NULL, parent_id BLOB, project INTEGER NOT NULL,
  start_ns INTEGER NOT NULL, duration_ns INTEGER, status INTEGER NOT NULL, kind INTEGER NOT NULL, name INTEGER NOT NULL,
  origin INTEGER NOT NULL, model INTEGER, provider INTEGER, session INTEGER, user INTEGER, tool INTEGER, agent INTEGER,
  prompt INTEGER, operation INTEGER, tokens_in INTEGER, tokens_out INTEGER, tokens_cached INTEGER,
  tokens_reasoning INTEGER, cost REAL, ttft_s REAL, role INTEGER NOT NULL, unpriced INTEGER NOT NULL,
  weight REAL NOT NULL, has INTEGER NOT NULL, error TEXT, record BLOB NOT NULL,
  UNIQUE(trace, span_id));
CREATE INDEX span_start ON span(project, start_ns);
CREATE INDEX span_slow ON span(project, ifnull(duration_ns, -1), start_ns);
CREATE INDEX span_name ON span(project, name, start_ns);
CREATE INDEX span_model ON span(project, model, start_ns) WHERE model IS NOT NULL;
CREATE INDEX span_session ON span(project, session, start_ns) WHERE session IS NOT NULL;
CREATE INDEX span_user ON span(project, user, start_ns) WHERE user IS NOT NULL;
CREATE INDEX span_error ON span(project, start_ns) WHERE status = 2;

CREATE TABLE attribute(
  project INTEGER NOT NULL, key INTEGER NOT NULL, value, span INTEGER NOT NULL,
  PRIMARY KEY(project, key, value, span)) WITHOUT ROWID;

CREATE TABLE log(
  id INTEGER PRIMARY KEY, project INTEGER NOT NULL, log_id BLOB NOT NULL, time_ns INTEGER NOT NULL,
  severity INTEGER NOT NULL, trace_id BLOB, span_id BLOB, score TEXT, record BLOB NOT NULL,
  UNIQUE(project, log_id));
CREATE INDEX log_time ON log(project, time_ns);
CREATE INDEX log_trace ON log(project, trace_id) WHERE trace_id IS NOT NULL;

CREATE TABLE rollup(
  id INTEGER PRIMARY KEY, width INTEGER NOT NULL, project INTEGER NOT NULL, hour INTEGER NOT NULL,
  origin INTEGER NOT NULL, kind INTEGER NOT NULL, model INTEGER NOT NULL, provider INTEGER NOT NULL,
  status INTEGER NOT NULL, sums BLOB NOT NULL, latency BLOB NOT NULL, ttft BLOB NOT NULL,
  UNIQUE(width, project, hour, origin, kind, model, provider, status));

INSERT INTO meta VALUES('generation', 0);
"""


_V2: Final = """
ALTER TABLE span ADD COLUMN response INTEGER;
CREATE INDEX span_response ON span(trace, response) WHERE response IS NOT NULL;
CREATE INDEX mention_trace ON mention(trace);
CREATE TABLE point(
  id INTEGER PRIMARY KEY, project INTEGER NOT NULL, point_id BLOB NOT NULL, time_ns INTEGER NOT NULL,
  name TEXT NOT NULL, record BLOB NOT NULL, UNIQUE(project, point_id));
CREATE INDEX point_time ON point(project, time_ns);
CREATE INDEX point_name ON point(project, name, time_ns);
CREATE TABLE leftover(kind TEXT NOT NULL, id NOT NULL, PRIMARY KEY(kind, id)) WITHOUT ROWID;
"""
"""`response` is a hash of the response id: two spans of a trace that have the same one tell of the same call.

`leftover` names what deletions may have left without a use, until the eraser's sweep has looked at it.
"""


def _create(db: apsw.Connection) -> None:
    db.execute(_V1)


def _v2(db: apsw.Connection) -> None:
    db.execute(_V2)


MIGRATIONS: Final[tuple[Callable[[apsw.Connection], None], ...]] = (_create, _v2)
"""Entry N brings a file from version N to N + 1; each runs once, in one transaction with its version number."""


def migrate(db: apsw.Connection, path: str) -> None:
    """Bring the file to this version. Raises SchemaError for one that is newer, or not ours.

    Safe when several processes open a file at once: one migrates, the others wait and find it done.
    """
    if _version(db) == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        version = _version(db)
        if version > VERSION:
            raise SchemaError(
                f"{path} has schema {version} and this program knows {VERSION}; use a newer Vestigo or another file"
            )
        if version == 0 and db.execute("SELECT count(*) FROM sqlite_master").fetchall() != [(0,)]:
            raise SchemaError(f"{path} is a SQLite file of another program; give a path of its own")
        for step in MIGRATIONS[version:]:
            step(db)
        db.pragma("application_id", APPLICATION_ID)
        db.pragma("user_version", VERSION)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _version(db: apsw.Connection) -> int:
    version = db.pragma("user_version")
    if version and db.pragma("application_id") != APPLICATION_ID:
        return 0
    return int(version or 0)
