"""Filters of any kind and hostile text, against every storage and the API: an answer or QueryError, no third thing."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))

from served import SHOP, served

from vestigo.errors import QueryError
from vestigo.filtertext import parse_filter
from vestigo.query import FIELDS, PREFIXES, Grouping, Query
from vestigo.storage import open_storage

pytestmark = pytest.mark.faults

INJECTIONS = [
    "' OR 1=1 --", "'; DROP TABLE span; --", '" OR ""="', "1); DELETE FROM trace; --",
    "') UNION SELECT key FROM meta --", "x'00'", "\\", "%", "_", "%%%", "*", "a*", "NEAR(a b)", '"a" AND "b"',
    "a OR b NOT c", "^a", "{a}", "a:b:c", "NULL", "null", "0x41", "1e309", "-0", "NaN", "\x00", "a\x00b", "\ufeff",
    "\u202e", "é" * 500, "🦊", "' || (SELECT name FROM sqlite_master) || '", "char(39)", "load_extension('x')",
    "ATTACH DATABASE 'x' AS y", "PRAGMA query_only=0", "vestigo_compare(1,2,3)", "?1", ":name", "@x", "$y", "/*",
    "*/", "--", ";", "(?P<a>", "(a+)+$", "[", "(?i)(?s).*", "\\p{Greek}", "(" * 200, "a{1000}{1000}", "..",
    "../../etc/passwd", "<script>alert(1)</script>", "${jndi:ldap://x}", "{{7*7}}", "\r\nX-Header: 1", "9" * 400,
    "-9223372036854775809",
]  # fmt: skip

fields = st.one_of(
    st.sampled_from(sorted(FIELDS)),
    st.builds(
        "{}{}".format,
        st.sampled_from(PREFIXES),
        st.sampled_from(["k", "a.b", "gen_ai.request.model", "tags", "x y", "'"]),
    ),
    st.text(max_size=8),
)
values = st.one_of(
    st.sampled_from([*INJECTIONS, "gpt-4o", "error", "2s", "$0.01", "10k", "shop", SHOP, "true", "17"]),
    st.text(max_size=12),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(str),
)
quoted = values.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
operators = st.sampled_from([":", "=", "!=", ">", ">=", "<", "<=", "~"])
terms = st.one_of(
    st.builds("{}{}{}".format, fields, operators, values | quoted),
    st.builds("{}:*".format, fields),
    st.builds(lambda field, items: f"{field}:[{','.join(items)}]", fields, st.lists(values | quoted, max_size=4)),
    quoted,
    values,
)
filters = st.recursive(
    terms,
    lambda inner: st.one_of(
        st.builds("-{}".format, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("{} {}".format, inner, inner),
        st.builds("{}({})".format, st.sampled_from(["any", "none", "root", "parent", "child", "all"]), inner),
    ),
    max_leaves=6,
)
valid_fields = st.sampled_from([*sorted(FIELDS), "attr.k", "attr.customer.tier", "resource.host", "score.helpful"])
valid = st.recursive(
    st.one_of(
        st.builds("{}{}{}".format, valid_fields, operators, quoted),
        st.builds("{}:*".format, valid_fields),
        quoted,
    ),
    lambda inner: st.one_of(
        st.builds("-{}".format, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("{} {}".format, inner, inner),
        st.builds("{}({})".format, st.sampled_from(["any", "none", "root", "parent", "child"]), inner),
    ),
    max_leaves=5,
)
many = settings(max_examples=2_500, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def storages(tmp_path_factory):
    """The same records in memory, files and SQLite."""
    from served import records

    place = tmp_path_factory.mktemp("filters")
    opened = [open_storage(url) for url in ("memory://", f"file:///{place}/traces", f"sqlite:///{place}/x.db")]
    for storage in opened:
        storage.write(records())
    yield opened
    for storage in opened:
        storage.close()


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with served("sqlite", tmp_path_factory.mktemp("api")) as (_, client):
        yield client


def answer(ask):
    """What a storage says: ids, or that the question cannot be read."""
    try:
        return ask()
    except QueryError as error:
        return type(error)


@many
@given(text=valid | filters)
def test_any_filter_has_the_same_answer_everywhere(storages, text):
    """2,500 filters: each storage answers alike, or all refuse; nothing but QueryError is raised."""
    tree = answer(lambda: parse_filter(text))
    if tree is QueryError:
        return
    query, by_kind = Query(project="default", filter=tree), Grouping(by=("kind",), measures=("count", "errors"))
    for ask in (
        lambda storage: [trace.trace_id for trace in storage.find_traces(query)],
        lambda storage: [span.span_id for span in storage.find_spans(query)],
        lambda storage: [log.log_id for log in storage.find_logs(query)],
        lambda storage: [group.key for group in storage.find_groups(query, "user")],
        lambda storage: [(row.keys, row.values) for row in storage.aggregate(query, by_kind)],
        lambda storage: sorted(storage.values("name", query)),
    ):  # fmt: skip
        answers = [answer(lambda ask=ask, storage=storage: ask(storage)) for storage in storages]
        assert answers[0] == answers[1] == answers[2]


@many
@given(
    text=valid | filters,
    path=st.sampled_from(["traces", "spans", "logs", "series", "facets", "sessions", "errors", "complete"]),
)
def test_any_filter_gets_an_answer_from_the_api(client, text, path):
    """2,500 filters: 200, or 400 that tells where the mistake is; never 5xx."""
    told = client.get(f"/api/{path}", params={"q": text})
    assert told.status_code in {200, 400}, (told.status_code, told.text)
    if told.status_code == 400:
        assert told.json()["error"]["code"] in {"bad_query", "bad_request"}
        assert set(told.json()["error"]) <= {"code", "message", "position"}


@pytest.mark.parametrize("text", INJECTIONS)
def test_hostile_text_is_only_text(client, storages, text):
    """In every place of a question; what is stored stays, and the tables are not told."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    questions = [f'{field}{op}"{escaped}"' for field in ("name", "model", "attr.k", "trace", "input") for op in ":=~"]
    for q in (*questions, text, f'"{escaped}"'):
        told = client.get("/api/traces", params={"q": q})
        assert told.status_code in {200, 400}
        assert "sqlite" not in told.text.lower()
        assert "Traceback" not in told.text
    for params in ({"cursor": text}, {"start": text}, {"end": text}, {"order": text}, {"limit": text}, {text: "1"}):
        assert client.get("/api/traces", params=params).status_code in {200, 400}, params
    for path in ("values?field=", "facets?fields=", "series?by=", "series?measures=", "series?step="):
        name = path.partition("?")[2].rstrip("=")
        assert client.get(f"/api/{path.partition('?')[0]}", params={name: text}).status_code in {200, 400}
    assert client.get("/api/traces", params={"project": text}).status_code in {200, 400}
    assert len(client.get("/api/spans").json()["items"]) == 4
    for storage in storages:
        assert storage.find_spans(Query(project=text or "x")).items == []
        assert storage.find_groups(Query(project=text), "session").items == [] if text else True


def test_a_connection_that_reads_can_do_nothing_else(tmp_path):
    """Writing, attaching, settings and functions of SQLite that we do not use are refused, also without query_only."""
    import apsw

    with served("sqlite", tmp_path) as (server, _):
        db = server.storage._reader().db
        for sql in (
            "INSERT INTO meta VALUES('x', 1)", "DELETE FROM span", "DROP TABLE span", "CREATE TABLE x(y)",
            "CREATE TEMP TABLE x(y)", "ATTACH ':memory:' AS x", "PRAGMA query_only = 0", "PRAGMA journal_mode = delete",
            "VACUUM", "SELECT load_extension('x')", "SELECT randomblob(10)", "UPDATE span SET name = 1", "REINDEX",
        ):  # fmt: skip
            with pytest.raises((apsw.AuthError, apsw.SQLError, apsw.ReadOnlyError)):
                db.execute(sql).fetchall()
        assert db.execute("SELECT count(*) FROM span").fetchone() == (4,)
