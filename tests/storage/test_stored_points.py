"""Data points of metrics in every storage: found by time, name and attributes, stored once, wholly deleted."""

import msgspec
import pytest

from vestigo.errors import QueryError, StorageError
from vestigo.filtertext import parse_filter
from vestigo.query import Query
from vestigo.record import Batch, Point, Resource, Scope, Span, point_id
from vestigo.storage import open_storage
from vestigo.storage.memory import InMemoryTraceStorage


@pytest.fixture(params=["memory", "file", "sqlite"])
def storage(request, tmp_path):
    url = {"memory": "memory://", "file": f"file:///{tmp_path}/traces", "sqlite": f"sqlite:///{tmp_path}/x.db"}
    opened = open_storage(url[request.param])
    yield opened
    opened.close()


def point(name="calls", time_ns=5, value=1, **attributes):
    resource = Resource({"service.name": "shop", "deployment.environment.name": "production"})
    return Point(name, time_ns, value=value, attributes=attributes, resource=resource, scope=Scope("meter"))


def found(storage, text="", **fields):
    return storage.find_points(Query(project="default", filter=parse_filter(text) if text else None, **fields)).items


def test_every_kind_of_point_comes_back_as_it_was(storage):
    """With its id, which is filled in where it is missing."""
    points = [
        point(value=2**62), point("load", value=0.5),
        Point("h", 6, kind="histogram", count=3, sum=1.5, bounds=[1.0], buckets=[1, 2], delta=True, unit="s"),
        Point("e", 7, kind="exponential", count=9, scale=-2, zero_count=1, offset=3, buckets=[5], negative_buckets=[3]),
        Point("q", 8, kind="summary", count=2, sum=3.0, quantiles=[(0.5, 1.5)], description="how long"),
    ]  # fmt: skip
    given = Batch(points=points)
    storage.write(given)
    assert all(one.point_id == point_id(one) for one in points)
    assert sorted(found(storage), key=repr) == sorted(points, key=repr)


def test_a_point_is_stored_once(storage):
    """Sent again it is the same; a later value of the same time replaces it; another time is another point."""
    storage.write(Batch(points=[point(value=1, k="v"), point(value=2, time_ns=6, k="v")]))
    storage.write(Batch(points=[point(value=3, k="v")]))
    assert [(one.time_ns, one.value) for one in found(storage)] == [(6, 2), (5, 3)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("name:calls", {"calls"}), ('name="calls"', {"calls"}), ("service:shop", {"calls", "load"}),
        ("env:production user:u1", {"calls"}), ("attr.k=1", {"load"}), ("-attr.k=1", {"calls", "bare"}),
        ('name="calls" attr.k=1', set()), ("bare", {"bare"}), ("trace:abc", set()), ("level>=1", set()),
    ],
)  # fmt: skip
def test_points_are_found_by_what_they_say(storage, text, names):
    """The fields of logs, with the metric's name for the event's; words are looked for in the name."""
    bare = Point("bare", 7)
    storage.write(Batch(points=[point(**{"user.id": "u1"}), point("load", k=1), bare]))
    storage.write(Batch(points=[point("elsewhere")], project="other"))
    assert {one.name for one in found(storage, text)} == names


def test_points_are_found_by_time_and_page_by_page(storage):
    """Newest first unless asked otherwise; pages neither skip nor repeat points of the same time."""
    storage.write(Batch(points=[point(time_ns=10 + n // 3, n=n) for n in range(9)]))
    assert len(found(storage, start_ns=11, end_ns=12)) == 3
    for order in ("newest", "oldest", "slowest"):
        query, pages = Query(project="default", order=order, limit=2), []
        while True:
            page = storage.find_points(query)
            pages += page.items
            if page.cursor is None:
                break
            query = msgspec.structs.replace(query, cursor=page.cursor)
        keys = [(one.time_ns, one.point_id) for one in pages]
        assert len(set(keys)) == 9
        assert keys == sorted(keys, reverse=order != "oldest")
    assert storage.find_points(Query(project="nobody's")).items == []


def test_a_field_that_points_do_not_have_is_refused(storage):
    """As for logs."""
    with pytest.raises(QueryError, match="model"):
        found(storage, "model:gpt-4o")


def test_deletion_takes_the_points_that_match(storage):
    """By field, by time, and all; a filter that they cannot answer, and another project, spare them."""
    points = [point(**{"user.id": "u1"}), point("load", 6), point("late", 100)]
    storage.write(Batch(spans=[Span("a" * 32, "b" * 16, "x", 5)], points=points))
    storage.write(Batch(points=[point("elsewhere")], project="other"))
    report = storage.erase(Query(project="default", filter=parse_filter("user:u1")))
    assert report.points == 1
    assert {one.name for one in found(storage)} == {"load", "late"}
    assert storage.erase(Query(project="default", filter=parse_filter("model:none"))).points == 0
    assert storage.erase(Query(project="default", end_ns=50)).points == 1
    assert {one.name for one in found(storage)} == {"late"}
    assert storage.erase(Query(project="default")).points == 1
    assert found(storage) == []
    assert [one.name for one in storage.find_points(Query(project="other"))] == ["elsewhere"]


@pytest.mark.parametrize("scheme", ["file", "sqlite"])
def test_nothing_of_a_deleted_point_is_left_in_the_files(scheme, tmp_path):
    """Looked for byte by byte after the storage is closed."""
    storage = open_storage(f"{scheme}:///{tmp_path}/place" + (".db" if scheme == "sqlite" else ""))
    storage.write(
        Batch(points=[point("secret.metric", n, **{"user.id": "nobody@example.org"}) for n in range(1, 2_500)])
    )
    assert len(found(storage, limit=5_000)) == 2_499
    assert storage.erase(Query(project="default", filter=parse_filter("user:nobody@example.org"))).points == 2_499
    storage.close()
    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"nobody@example" in text or b"secret.metric" in text for text in texts)


def test_points_outlive_the_process(tmp_path):
    """In files and in SQLite; the project is listed."""
    for scheme in ("file", "sqlite"):
        url = f"{scheme}:///{tmp_path}/{scheme}" + (".db" if scheme == "sqlite" else "")
        storage = open_storage(url)
        storage.write(Batch(points=[point()], project="p"))
        storage.close()
        storage = open_storage(url)
        assert [one.value for one in storage.find_points(Query(project="p"))] == [1]
        assert storage.projects() == ["p"]
        storage.close()


def test_an_id_that_is_none_is_refused(tmp_path):
    """And nothing of its batch is kept."""
    storage = open_storage(f"sqlite:///{tmp_path}/x.db")
    bad = point()
    bad.point_id = "XYZ"
    with pytest.raises(StorageError, match="'XYZ'"):
        storage.write(Batch(spans=[Span("a" * 32, "b" * 16, "x", 5)], points=[bad]))
    assert storage.find_spans(Query(project="default")).items == []
    storage.close()


def test_memory_keeps_the_newest_points_and_counts_the_others(monkeypatch):
    """Bounded for each project."""
    monkeypatch.setattr("vestigo.storage.memory._POINTS", 3)
    storage = InMemoryTraceStorage()
    storage.write(Batch(points=[point(time_ns=n) for n in range(1, 6)]))
    assert ([one.time_ns for one in found(storage)], storage.evicted_points) == ([5, 4, 3], 2)
