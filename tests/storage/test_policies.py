"""Policies: what they make due, what a hold keeps from everybody, and the file that several servers share."""

import pytest

from vestigo import FileTraceStorage, InMemoryTraceStorage, QueryError, SettingsError, SQLiteTraceStorage
from vestigo.query import Compare, Not, Query
from vestigo.record import Batch, Log, Span
from vestigo.storage.policies import Policies, Policy, due, start_of_newest, without_held

DAY_NS = 86_400 * 10**9
NOW_NS = 20_000 * DAY_NS


def span(number, age_days, **attributes):
    start = NOW_NS - int(age_days * DAY_NS)
    return Span(f"{number:032x}", f"{number:016x}", "work", start, end_ns=start + 5, attributes=attributes)


@pytest.fixture(params=["memory", "file", "sqlite"])
def storage(request, tmp_path):
    made = {"memory": InMemoryTraceStorage, "file": lambda: FileTraceStorage(tmp_path / "d"),
            "sqlite": lambda: SQLiteTraceStorage(tmp_path / "x.db")}[request.param]()  # fmt: skip
    yield made
    made.close()


def ages(storage, project="default"):
    found = storage.find_traces(Query(project=project, order="oldest"))
    return [round((NOW_NS - trace.start_ns) / DAY_NS, 3) for trace in found]


def apply(storage, policy, share=0.0):
    for query in due(storage, "default", policy, NOW_NS, share):
        storage.erase(query)


def test_what_is_older_than_its_days_goes(storage):
    """Traces and loose logs by their start; one that began just now within the days stays."""
    storage.write(Batch([span(n, n) for n in range(1, 9)], [Log(NOW_NS - 7 * DAY_NS, body="old", log_id="1" * 32),
                                                            Log(NOW_NS - 1, body="new", log_id="2" * 32)]))  # fmt: skip
    apply(storage, Policy(days=5))
    assert ages(storage) == [5, 4, 3, 2, 1]
    assert [log.body for log in storage.find_logs(Query(project="default"))] == ["new"]


def test_above_a_number_of_traces_the_oldest_go(storage):
    """So many are left, the newest; another project's are not counted."""
    storage.write(Batch([span(n, n) for n in range(1, 9)]))
    storage.write(Batch([span(n, n) for n in range(1, 5)], [], "other"))
    apply(storage, Policy(traces=3))
    assert ages(storage) == [3, 2, 1]
    assert len(ages(storage, "other")) == 4
    assert list(due(storage, "default", Policy(traces=3), NOW_NS)) == []


@pytest.mark.parametrize(("share", "left"), [(0.25, 6), (0.5, 4), (1.0, 0)])
def test_a_share_of_the_oldest_goes(storage, share, left):
    """As where the bytes are too many."""
    storage.write(Batch([span(n, n) for n in range(1, 9)]))
    apply(storage, Policy(), share)
    assert ages(storage) == list(range(left, 0, -1))


def test_a_hold_keeps_what_it_matches(storage):
    """From age and from erasure alike; `*` keeps the whole project."""
    storage.write(Batch([span(n, n, **{"user.id": "ann" if n == 7 else "bob"}) for n in range(1, 9)]))
    apply(storage, Policy(days=5, hold="user:ann"))
    assert ages(storage) == [7, 5, 4, 3, 2, 1]
    apply(storage, Policy(days=1, hold="*"))
    assert len(ages(storage)) == 6


def test_nothing_is_due_without_a_policy(storage):
    """The default keeps everything."""
    storage.write(Batch([span(1, 9_000)]))
    assert list(due(storage, "default", Policy(), NOW_NS)) == []
    assert start_of_newest(storage, "default", 1) == 0


def test_policies_are_shared_by_a_file(tmp_path):
    """What one sets the other reads; None goes back to the default; the file is its owner's alone."""
    one = Policies(tmp_path / "retention.json", Policy(days=9))
    other = Policies(tmp_path / "retention.json")
    assert one.of("shop") == Policy(days=9)
    one.set("shop", Policy(days=1, hold="user:ann"))
    assert other.of("shop") == Policy(days=1, hold="user:ann")
    assert other.of("else") == Policy()
    assert (tmp_path / "retention.json").stat().st_mode & 0o777 == 0o600
    other.set("shop", None)
    assert one.of("shop") == Policy(days=9)
    assert [path.name for path in tmp_path.iterdir()] == ["retention.json"]


@pytest.mark.parametrize(
    "policy", [Policy(days=-1), Policy(traces=-5), Policy(days=float("nan")), Policy(hold="modle:x")]
)
def test_a_policy_that_makes_no_sense_is_refused(tmp_path, policy):
    """And nothing is written."""
    with pytest.raises((SettingsError, QueryError)):
        Policies(tmp_path / "retention.json").set("shop", policy)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_deletes_nothing(tmp_path):
    """It is told with the remedy instead of falling back to a default."""
    (tmp_path / "retention.json").write_text('{"shop": {"dayz": 3}}')
    with pytest.raises(SettingsError, match="repair"):
        Policies(tmp_path / "retention.json", Policy(days=1)).of("shop")


def test_a_hold_is_taken_out_of_a_deletion():
    """By a filter that is plain negation."""
    query = Query(project="p", filter=Compare("name", "=", "x"))
    assert without_held(query, "") is query
    assert without_held(query, "*") is None
    assert without_held(Query(project="p"), "user:ann").filter == Not(Compare("user", "=", "ann"))
