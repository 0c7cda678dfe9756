"""The file storage: what lies in the directory, whose it is, and that every record comes back."""

import contextlib
import json
import os
import resource
import stat
import sys
import threading
import warnings

import pytest
import time_machine

from vestigo.errors import SchemaError, SettingsError, StorageError
from vestigo.query import And, Compare, Grouping, Query, Text, make_cursor
from vestigo.record import Batch, Log, Resource, Span, Trace
from vestigo.storage import open_storage
from vestigo.storage.files import FileTraceStorage
from vestigo.testing import check_storage

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NOON = 1_790_000_000  # some noon, so that no test runs into midnight
EVERYTHING = Query(project="default", limit=100_000)


@pytest.fixture(autouse=True)
def noon():
    with time_machine.travel(NOON) as traveller:
        yield traveller


def span(number: int, text: str = "hello", **fields) -> Span:
    fields = {"end_ns": number * 1000 + 500, "attributes": {"text": text}, **fields}
    return Span(f"{number:032x}", f"{number:016x}", f"span {number}", number * 1000, **fields)


def write(storage, *numbers: int, text: str = "hello", project: str = "default") -> None:
    storage.write(Batch([span(number, text) for number in numbers], [], project))


def numbers(storage, project: str = "default") -> list[int]:
    """What is stored, each span as often as it is found."""
    found = storage.find_spans(Query(project=project, order="oldest", limit=100_000))
    return [int(item.span_id, 16) for item in found]


def ours(path) -> list[str]:
    return sorted(item.name for item in path.iterdir() if item.name.startswith("vestigo-"))


def text_of(path) -> str:
    """All text in a directory, unpacked."""
    parts = []
    for item in sorted(path.rglob("*")):
        if item.is_file():
            data = item.read_bytes()
            if item.name.endswith(".zst"):
                data = zstd.decompress(data)
            parts.append(data.decode(errors="replace"))
    return "".join(parts)


# --- the contract


@pytest.mark.parametrize("size", [100, 0.1])
def test_the_file_storage_keeps_the_contract(tmp_path, size):
    """It answers as the memory storage, also when small files are packed all the time."""

    def opener() -> FileTraceStorage:
        return FileTraceStorage(tmp_path, size, 10_000)

    check_storage(opener, rounds=2, reopen=opener)


def test_it_opens_by_url(tmp_path):
    """`file:///dir` is this storage."""
    storage = open_storage(f"file:///{tmp_path}/traces", max_files=3)
    write(storage, 1)
    assert isinstance(storage, FileTraceStorage)
    assert ours(tmp_path / "traces")


def test_a_trace_comes_back_as_it_was(tmp_path):
    """store, get and query give equal spans and logs, also in another process's place."""
    storage = FileTraceStorage(tmp_path / "a" / "b", project="p")
    root = span(1, "naïve \u2028 \n text", resource=Resource({"service.name": "shop"}))
    child = Span(root.trace_id, "c" * 16, "child", 1100, parent_id=root.span_id, status="ERROR", status_message="no")
    log = Log(1200, body={"a": [1, 2.5, None, True]}, trace_id=root.trace_id, log_id="f" * 32)
    storage.store(Trace(root.trace_id, [root, child], [log]))
    for reader in (storage, FileTraceStorage(tmp_path / "a" / "b", project="p")):
        found = reader.get(root.trace_id)
        assert found.spans == [root, child]
        assert found.logs == [log]
        assert reader.query(status="error", service="shop") == [found]
        assert reader.query(service="other") == []
    assert storage.get("0" * 32) is None


def test_reading_follows_what_others_write(tmp_path):
    """A reader that knows the files finds what was appended since."""
    reader, writer = FileTraceStorage(tmp_path), FileTraceStorage(tmp_path)
    for number in range(1, 6):
        write(writer, number)
        assert numbers(reader) == list(range(1, number + 1))


def test_any_tool_can_read_the_lines(tmp_path):
    """Each line is a JSON object that says what it is, in plain and in packed files."""
    storage = FileTraceStorage(tmp_path, 0.001)
    storage.write(Batch([span(1)], [Log(5, body="b", log_id="1" * 32)], "p"))
    write(storage, 2, text="z" * 600)
    lines = [json.loads(line) for line in text_of(tmp_path).splitlines()]
    assert [line["record"] for line in lines].count("vestigo") == 2
    told = next(line for line in lines if line.get("span_id") == span(1).span_id)
    assert (told["record"], told["project"], told["name"]) == ("span", "p", "span 1")
    assert told["written_ns"] >= NOON * 10**9
    assert next(line for line in lines if line["record"] == "log")["body"] == "b"


def test_files_are_for_the_user_alone(tmp_path):
    """Traces hold private text."""
    storage = FileTraceStorage(tmp_path / "new", 0.001)
    for number in range(1, 4):
        write(storage, number)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert {stat.S_IMODE(item.stat().st_mode) for item in (tmp_path / "new").iterdir()} == {0o600}


def test_a_link_of_pages_reads_on_where_the_last_ended(tmp_path):
    """In each order the pages give everything once, out of several files."""
    storage = FileTraceStorage(tmp_path, 0.002, 1000)
    for number in range(1, 40):
        write(storage, number)
    for order in ("newest", "oldest", "slowest"):
        seen, cursor = [], None
        while True:
            page = storage.find_traces(Query(project="default", order=order, limit=7, cursor=cursor))
            seen += [int(summary.trace_id, 16) for summary in page]
            cursor = page.cursor
            if cursor is None:
                break
        assert seen == sorted(seen, reverse=order != "oldest")
        assert len(seen) == 39


def test_a_cursor_does_not_narrow_sums(tmp_path):
    """A cursor speaks of pages only; sums, values and deletions are of everything."""
    storage = FileTraceStorage(tmp_path)
    write(storage, 1, 2, 3)
    query = Query(project="default", cursor=make_cursor("newest", (2000, 2000, "0", "")))
    assert storage.aggregate(query, Grouping(measures=("count",)))[0].values["count"] == 3
    assert len(storage.values("name", query)) == 3
    assert storage.delete(query) == 3


def test_a_filter_by_trace_reads_that_trace(tmp_path):
    """Alone or among others, and for logs too."""
    storage = FileTraceStorage(tmp_path)
    write(storage, 1, 2, 3)
    storage.write(Batch([], [Log(1, trace_id=span(2).trace_id, log_id="1" * 32), Log(1, log_id="2" * 32)]))
    only = Compare("trace", "=", span(2).trace_id)
    for filter_ in (only, And((Text("span"), only))):
        found = storage.find_traces(Query(project="default", filter=filter_))
        assert [summary.trace_id for summary in found] == [span(2).trace_id]
    assert len(storage.find_logs(Query(project="default", filter=only))) == 1
    assert len(storage.find_logs(EVERYTHING)) == 2
    assert storage.get("~" + "2" * 32) is None


# --- versions


def test_a_closed_span_stays_closed(tmp_path):
    """Across files and processes: the later version wins, but an open one never replaces a closed one."""
    first, second = FileTraceStorage(tmp_path), FileTraceStorage(tmp_path)
    first.write(Batch([span(1, "open", end_ns=None)]))
    second.write(Batch([span(1, "closed")]))
    first.write(Batch([span(1, "open again", end_ns=None)]))
    assert first.get(span(1).trace_id).spans[0].attributes == {"text": "closed"}
    first.write(Batch([span(1, "closed later")]))
    assert len(ours(tmp_path)) == 2
    assert second.get(span(1).trace_id).spans[0].attributes == {"text": "closed later"}


def test_the_later_of_one_batch_wins(tmp_path, noon):
    """Also when the clock stands still or goes back while one process writes."""
    storage = FileTraceStorage(tmp_path)
    storage.write(Batch([span(1, "a"), span(1, "b")], [Log(1, body="a", log_id="1"), Log(2, body="b", log_id="1")]))
    assert storage.get(span(1).trace_id).spans[0].attributes == {"text": "b"}
    assert [log.body for log in storage.find_logs(EVERYTHING)] == ["b"]
    noon.shift(-60)
    storage.write(Batch([span(1, "c")]))
    assert storage.get(span(1).trace_id).spans[0].attributes == {"text": "c"}


def test_logs_without_an_id_are_known_by_their_content(tmp_path):
    """With and without a trace, in one file or several: what is written again is there once."""
    for _ in range(2):
        storage = FileTraceStorage(tmp_path)
        storage.write(Batch([], [Log(1, body="x"), Log(1, body="y"), Log(1, trace_id="a" * 32)]))
    assert len(storage.find_logs(EVERYTHING)) == 3


# --- rotation


def test_files_are_rotated_by_size_and_packed(tmp_path):
    """No plain file grows above the limit, and everything stays readable."""
    storage = FileTraceStorage(tmp_path, 0.01, 1000)
    for number in range(1, 200):
        write(storage, number, text="x" * 400)
    plain = [name for name in ours(tmp_path) if name.endswith(".jsonl")]
    assert len(plain) == 1
    assert len(ours(tmp_path)) > 5
    assert all((tmp_path / name).stat().st_size <= 10_486 for name in plain)
    assert numbers(storage) == numbers(FileTraceStorage(tmp_path)) == list(range(1, 200))
    assert storage.get(span(3).trace_id).spans[0].attributes == {"text": "x" * 400}


def test_files_are_rotated_by_day(tmp_path, noon):
    """The first write of a day, UTC, begins a file of that day and packs the one before."""
    storage = FileTraceStorage(tmp_path)
    write(storage, 1)
    noon.shift(86_400)
    write(storage, 2)
    names = ours(tmp_path)
    assert [name.split("-")[1] for name in names] == ["20260921", "20260922"]
    assert [name.endswith(".zst") for name in names] == [True, False]
    assert numbers(storage) == [1, 2]


def test_a_batch_above_the_limit_is_kept_whole(tmp_path):
    """A batch is never divided between files."""
    storage = FileTraceStorage(tmp_path, 0.001)
    write(storage, 1, 2, 3, text="y" * 3_000_000)
    write(storage, 4)
    assert numbers(storage) == [1, 2, 3, 4]
    assert storage.get(span(2).trace_id).spans[0].attributes == {"text": "y" * 3_000_000}


def test_the_oldest_files_are_removed_above_max_files(tmp_path):
    """`max_files` counts all of ours; what was removed is counted."""
    storage = FileTraceStorage(tmp_path, 0.001, 3)
    for number in range(1, 11):
        write(storage, number, text="z" * 600)
    assert len(ours(tmp_path)) == 3
    assert storage.removed_files == 7
    assert numbers(storage) == [8, 9, 10]


def test_a_file_that_somebody_appends_to_is_never_removed(tmp_path):
    """However old it is."""
    other, storage = FileTraceStorage(tmp_path), FileTraceStorage(tmp_path, 0.001, 1)
    write(other, 1)
    for number in range(2, 6):
        write(storage, number, text="z" * 600)
    assert numbers(storage) == [1, 5]
    write(other, 6)
    assert numbers(storage) == [1, 5, 6]


def test_the_next_process_goes_on_with_a_file(tmp_path):
    """A program that is started often leaves one file a day, not one a start."""
    for number in range(1, 30):
        storage = FileTraceStorage(tmp_path)
        write(storage, number)
        storage.close()
    assert len(ours(tmp_path)) == 1
    assert numbers(storage) == list(range(1, 30))


def test_a_storage_that_is_dropped_lets_go_of_its_file(tmp_path):
    """Also without close()."""
    storage = FileTraceStorage(tmp_path)
    write(storage, 1)
    del storage
    write(FileTraceStorage(tmp_path), 2)
    assert len(ours(tmp_path)) == 1


def test_processes_at_once_have_files_of_their_own(tmp_path):
    """Nobody appends to a file that another holds."""
    storages = [FileTraceStorage(tmp_path) for _ in range(4)]
    for number in range(1, 41):
        write(storages[number % 4], number)
    assert len(ours(tmp_path)) == 4
    assert numbers(storages[0]) == list(range(1, 41))


def test_old_files_of_dead_processes_are_packed_by_the_next(tmp_path, noon):
    """Yesterday's file of a process that is gone is packed at the next write."""
    dead = FileTraceStorage(tmp_path)
    write(dead, 1)
    alive = FileTraceStorage(tmp_path)
    write(alive, 2)
    dead.close()
    noon.shift(86_400)
    write(FileTraceStorage(tmp_path), 3)
    assert [name.endswith(".zst") for name in ours(tmp_path)].count(True) == 1
    assert numbers(alive) == [1, 2, 3]


def test_threads_share_a_file(tmp_path):
    """Four threads write at once, and everything is there once."""
    storage = FileTraceStorage(tmp_path, 0.05, 1000)
    threads = [
        threading.Thread(target=lambda first=first: [write(storage, first + at) for at in range(50)])
        for first in (100, 200, 300, 400)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(storage) == [first + at for first in (100, 200, 300, 400) for at in range(50)]


# --- what is not ours


def test_what_is_not_ours_is_never_touched(tmp_path):
    """Files of others stay byte for byte, whatever they are called, through rotation, removal and deletion."""
    own_name = "vestigo-20200101-1-0123abcd.jsonl"
    foreign = {
        "notes.txt": b"mine",
        "data.jsonl": b'{"record":"span"}\n',
        own_name: b'{"record":"span","project":"default"}\n',
        "vestigo-20200102-1-0123abcd.jsonl": b"",
        "vestigo-20200101-1-0123abcd.jsonl.zst": b"no zstd at all",
        "vestigo-20200103-1-0123abcd.jsonl.zst": zstd.compress(b"something else\n"),
        "vestigo-20200101-1-0123abcd.jsonl.zst.0123abcd.tmp": b"no zstd either",
        "vestigo-20200101-1-0123abcd.jsonl.bak": b"x",
        "other.tmp": b"x",
    }
    for name, data in foreign.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "vestigo-20200104-1-0123abcd.jsonl").mkdir()
    elsewhere = tmp_path.parent / "elsewhere.jsonl"
    elsewhere.write_bytes(b'{"record":"vestigo","version":1,"created_ns":1,"pid":1}\n')
    (tmp_path / "vestigo-20200105-1-0123abcd.jsonl").symlink_to(elsewhere)
    storage = FileTraceStorage(tmp_path, 0.001, 2)
    for number in range(1, 11):
        write(storage, number, text="z" * 600)
    assert storage.delete(Query(project="default")) == 2
    assert {name: (tmp_path / name).read_bytes() for name in foreign} == foreign
    assert (tmp_path / "vestigo-20200105-1-0123abcd.jsonl").is_symlink()
    assert storage.foreign == len(foreign) + 2
    assert storage.skipped_lines == 0


# --- crashes


def test_a_half_written_last_line_is_skipped_and_counted(tmp_path):
    """It hides nothing else, and the next process begins a new line."""
    storage = FileTraceStorage(tmp_path)
    write(storage, 1, 2)
    storage.close()
    file = tmp_path / ours(tmp_path)[0]
    line = file.read_bytes().splitlines(keepends=True)[-1]
    with file.open("ab") as out:
        out.write(line[: len(line) // 2])
    assert numbers(storage) == [1, 2]
    assert storage.skipped_lines == 1
    after = FileTraceStorage(tmp_path)
    write(after, 3)
    assert len(ours(tmp_path)) == 1
    for reader in (storage, after, FileTraceStorage(tmp_path)):
        assert numbers(reader) == [1, 2, 3]
        assert reader.skipped_lines == 1


def test_a_line_that_is_being_written_is_not_counted(tmp_path):
    """A file that a process holds may end within a line for a moment."""
    storage = FileTraceStorage(tmp_path)
    write(storage, 1)
    with (tmp_path / ours(tmp_path)[0]).open("ab") as out:
        out.write(b'{"record":')
    assert storage.skipped_lines == 0
    storage.close()
    assert storage.skipped_lines == 1


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b'{"record":"vestigo"}',
        b'{"record":"span","project":"default","written_ns":1,"trace_id":"x"}',
        b'{"record":"span","project":"default","written_ns":1,"trace_id":"a","span_id":"b","start_ns":"c"}',
        b'{"record":"log","project":"default","written_ns":1}',
        b'{"record":"span","project":"default","written_ns":1,"trace_id":"a","span_id":"b","start_ns":5}',
        b'{"record":"log","project":"default","written_ns":1,"time_ns":5,"severity":"x"}',
        b'{"record":"span","project":"\xff","written_ns":1,"trace_id":"a","span_id":"b","start_ns":5}',
    ],
)
def test_a_damaged_line_is_skipped_and_counted(tmp_path, line):
    """Whatever is wrong with it, once it was looked at."""
    storage = FileTraceStorage(tmp_path)
    write(storage, 1)
    storage.close()
    with (tmp_path / ours(tmp_path)[0]).open("ab") as out:
        out.write(line + b"\n\n")
    write(FileTraceStorage(tmp_path), 9)
    reader = FileTraceStorage(tmp_path)
    assert numbers(reader) == [1, 9]
    assert len(reader.find_logs(EVERYTHING)) == 0
    assert reader.skipped_lines == 1


def packed_storage(tmp_path) -> FileTraceStorage:
    """Some MB in one packed file of several frames, and the latest spans in a plain file."""
    storage = FileTraceStorage(tmp_path, 3)
    for number in range(1, 40):
        write(storage, number, text=os.urandom(50_000).hex())
    assert [name.endswith(".zst") for name in ours(tmp_path)].count(True) == 1
    return storage


def test_a_damaged_packed_file_is_read_up_to_the_damage(tmp_path):
    """The rest counts as one skipped line; other files are read as ever."""
    storage = packed_storage(tmp_path)
    known = numbers(storage)
    path = tmp_path / next(name for name in ours(tmp_path) if name.endswith(".zst"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    found = numbers(FileTraceStorage(tmp_path))
    assert set(found) < set(known)
    assert found[0] == 1
    assert found[-1] == 39
    assert numbers(storage) == found  # it knew the file before
    assert storage.skipped_lines == 1
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data[:-5])
    found = numbers(storage)
    assert set(found) < set(known)
    assert storage.skipped_lines == 1
    assert storage.delete(Query(project="default")) == len(found)
    assert storage.skipped_lines == 0


def test_a_frame_damaged_under_a_reader_hides_only_itself(tmp_path):
    """A block that no longer unpacks gives no wrong record, and no error."""
    storage = packed_storage(tmp_path)
    numbers(storage)
    path = tmp_path / next(name for name in ours(tmp_path) if name.endswith(".zst"))
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as a disk would do it
    assert set(numbers(storage)) < set(range(1, 40))
    assert storage.skipped_lines > 0


def test_a_crash_between_packing_and_removing_doubles_nothing(tmp_path, noon):
    """With the plain and the packed form there, the packed one is read, and the plain one goes with the next upkeep."""
    storage = FileTraceStorage(tmp_path)
    storage.write(Batch([span(1)], [Log(1, body="no id")]))
    storage.close()
    name = ours(tmp_path)[0]
    plain = (tmp_path / name).read_bytes()
    header, rest = plain.split(b"\n", 1)
    (tmp_path / (name + ".zst")).write_bytes(zstd.compress(header + b"\n") + zstd.compress(rest))
    assert numbers(storage) == [1]
    assert len(storage.find_logs(EVERYTHING)) == 1
    noon.shift(1)
    write(FileTraceStorage(tmp_path), 2)
    assert name not in ours(tmp_path)
    assert len(ours(tmp_path)) == 2
    assert numbers(storage) == [1, 2]


def test_what_a_crash_in_packing_left_behind_is_removed(tmp_path):
    """A temporary file that nobody holds goes; it is never read."""
    storage = FileTraceStorage(tmp_path)
    write(storage, 1)
    name = ours(tmp_path)[0]
    header = (tmp_path / name).read_bytes().split(b"\n", 1)[0] + b"\n"
    left = tmp_path / f"{name}.zst.0123abcd.tmp"
    left.write_bytes(zstd.compress(header) + b"half a frame")
    empty = tmp_path / f"{name}.0123abcd.tmp"
    empty.write_bytes(b"")
    assert numbers(storage) == [1]
    write(FileTraceStorage(tmp_path), 2)
    assert not left.exists()
    assert not empty.exists()
    assert numbers(storage) == [1, 2]


def test_a_shortened_file_is_read_anew(tmp_path):
    """A reader that knew more than there is now forgets it, also when the file has grown again."""
    reader, storage = FileTraceStorage(tmp_path), FileTraceStorage(tmp_path)
    write(storage, 1)
    path = tmp_path / ours(tmp_path)[0]
    size = path.stat().st_size
    write(storage, 2)
    assert numbers(reader) == [1, 2]
    os.truncate(path, size)
    write(storage, 3, 4)
    assert numbers(reader) == [1, 3, 4]


@contextlib.contextmanager
def largest_file(size: int):
    """The operating system refuses to let a file grow above a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_fails_keeps_nothing(tmp_path):
    """No record of the batch is found, what was there before stays, and writing goes on when there is room."""
    storage = FileTraceStorage(tmp_path)
    write(storage, 1, 2)
    with largest_file(3000), pytest.raises(StorageError, match=r"cannot write to .*file too large; free some space"):
        write(storage, *range(3, 60))
    assert numbers(storage) == [1, 2]
    assert storage.skipped_lines == 0
    with largest_file(3000):
        write(storage, 3)
    write(storage, 4)
    assert numbers(storage) == numbers(FileTraceStorage(tmp_path)) == [1, 2, 3, 4]
    assert len(ours(tmp_path)) == 1


def test_a_file_that_cannot_be_begun_leaves_nothing(tmp_path):
    """Where not even the header fits, there is an error and no file."""
    storage = FileTraceStorage(tmp_path)
    with largest_file(10), pytest.raises(StorageError, match="cannot write"):
        write(storage, 1)
    assert ours(tmp_path) == []
    write(storage, 1)
    assert numbers(storage) == [1]


def test_packing_that_fails_loses_nothing(tmp_path, noon, caplog):
    """The plain file stays and is packed later; the write that came along is safe."""
    storage = FileTraceStorage(tmp_path)
    write(storage, 1, text=os.urandom(20_000).hex())
    noon.shift(86_400)
    with largest_file(8000):
        write(storage, 2)
    assert [name.endswith(".zst") for name in ours(tmp_path)] == [False, False]
    assert numbers(storage) == [1, 2]
    assert "cannot tidy" in caplog.text
    storage.close()
    noon.shift(86_400)
    write(FileTraceStorage(tmp_path), 3)
    assert [name.endswith(".zst") for name in ours(tmp_path)] == [True, True, False]
    assert not [item for item in tmp_path.iterdir() if item.name.endswith(".tmp")]
    assert numbers(storage) == [1, 2, 3]


def test_a_record_that_json_cannot_hold_is_refused(tmp_path):
    """With a StorageError, and nothing of its batch is kept."""
    storage = FileTraceStorage(tmp_path)
    with pytest.raises(StorageError, match="JSON cannot hold"):
        storage.write(Batch([span(1), span(2, attributes={"bad": "\ud800"})]))
    assert numbers(storage) == []


def test_a_removed_directory_comes_back(tmp_path):
    """Somebody who clears the directory under a running program loses what was there, not what comes."""
    path = tmp_path / "traces"
    storage = FileTraceStorage(path)
    write(storage, 1)
    for item in path.iterdir():
        item.unlink()
    path.rmdir()
    assert numbers(storage) == []
    write(storage, 2)
    assert numbers(storage) == [2]


# --- deletion


def test_nothing_of_a_deleted_trace_is_left(tmp_path):
    """Not in plain, packed or half-written lines, nor in the file that another process appends to; the rest stays."""
    storage, other = FileTraceStorage(tmp_path, 0.01, 100), FileTraceStorage(tmp_path)
    gone = span(7).trace_id
    for number in range(1, 60):
        write(storage, number, text="x" * 300)
        other.write(Batch([span(number + 1000, "y")], [Log(number, body="y", trace_id=gone, log_id=f"{number:032x}")]))
    other.write(Batch([span(7, "elsewhere")], [], "another project"))
    dead = FileTraceStorage(tmp_path)
    write(dead, 500)
    dead.close()
    broken = next(tmp_path / name for name in ours(tmp_path) if b"span 500" in (tmp_path / name).read_bytes())
    with broken.open("ab") as out:
        out.write(b'{"record":"span","project":"default","trace_id":"%b","na' % gone.encode())
    before = numbers(storage)
    assert storage.delete(Query(project="default", filter=Compare("trace", "=", gone))) == 1
    assert storage.get(gone) is None
    assert numbers(storage) == numbers(other) == [number for number in before if number != 7]
    assert text_of(tmp_path).count(gone) == 1
    assert other.trace("another project", gone).spans[0].attributes == {"text": "elsewhere"}
    assert storage.skipped_lines == 0
    write(other, 2001)
    write(storage, 2002)
    assert numbers(storage)[-2:] == [2001, 2002]


def test_a_file_of_which_nothing_is_left_is_removed(tmp_path):
    """Deleting everything leaves no files of ours."""
    storage = FileTraceStorage(tmp_path, 0.001, 100)
    for number in range(1, 10):
        write(storage, number, text="z" * 600)
    assert storage.delete(Query(project="default")) == 9
    assert ours(tmp_path) == []
    write(storage, 1)
    assert numbers(storage) == [1]


def test_deletion_takes_logs_without_a_trace_that_match(tmp_path):
    """By their own time and fields, named and unnamed, with what may be half a log; others stay."""
    storage = FileTraceStorage(tmp_path)
    logs = [Log(1, 9, "in"), Log(2, 9, "in", log_id="1" * 32), Log(3, 17, "stays"), Log(9, 9, "stays")]
    logs += [Log(2, 9, "stays", trace_id="a" * 32), Log(2, 9, "in", trace_id="c" * 32)]  # the latter has no spans
    storage.write(Batch([Span("a" * 32, "b" * 16, "later", 7, end_ns=8)], logs))
    storage.write(Batch([], [Log(1, 9, "in")], "another project"))
    storage.close()
    with (tmp_path / ours(tmp_path)[0]).open("ab") as out:
        out.write(b'{"record":"log","project":"default","written_ns":1,"time_ns":2,"body":"in')
    storage = FileTraceStorage(tmp_path)
    assert storage.delete(Query(project="default", end_ns=5, filter=Compare("level", "<", 10))) == 0
    assert sorted(log.body for log in storage.find_logs(EVERYTHING)) == ["stays"] * 3
    assert text_of(tmp_path).count('"in') == 1
    assert storage.skipped_lines == 0


def test_a_deletion_that_finds_nothing_changes_no_file(tmp_path):
    """Not even one with a broken line."""
    storage = FileTraceStorage(tmp_path)
    write(storage, 1)
    storage.close()
    path = tmp_path / ours(tmp_path)[0]
    with path.open("ab") as out:
        out.write(b"broken")
    before = (path.stat().st_ino, path.read_bytes())
    assert storage.delete(Query(project="default", filter=Compare("name", "=", "nobody"))) == 0
    assert (path.stat().st_ino, path.read_bytes()) == before


def test_broken_lines_that_hold_nothing_of_it_stay(tmp_path):
    """They stay counted."""
    storage = FileTraceStorage(tmp_path)
    write(storage, 1, 2)
    storage.close()
    with (tmp_path / ours(tmp_path)[0]).open("ab") as out:
        out.write(b"broken")
    assert storage.delete(Query(project="default", end_ns=1500)) == 1
    assert numbers(storage) == [2]
    assert storage.skipped_lines == 1


def test_a_deletion_without_room_deletes_nothing_by_halves(tmp_path):
    """It raises; every file is either as it was or without what should go."""
    storage = FileTraceStorage(tmp_path)
    write(storage, *range(1, 60))
    before = text_of(tmp_path)
    with largest_file(100), pytest.raises(StorageError, match="cannot use the traces"):
        storage.delete(Query(project="default", end_ns=10_000))
    assert text_of(tmp_path) == before
    assert [item.name for item in tmp_path.iterdir() if item.name.endswith(".tmp")] == []


# --- forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_of_a_fork_has_a_file_of_its_own(tmp_path):
    """Parent and child both go on writing, and everything is there once."""
    storage = FileTraceStorage(tmp_path)
    write(storage, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            write(storage, 2)
            os._exit(0 if numbers(storage) == [1, 2] else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    write(storage, 3)
    assert len(ours(tmp_path)) == 2
    assert numbers(storage) == [1, 2, 3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_within_an_answer_locks_nobody_out(tmp_path):
    """A child made while the directory is locked neither hangs nor keeps it locked."""
    storage = FileTraceStorage(tmp_path)
    write(storage, 1)
    read_end, write_end = os.pipe()
    children = []

    def fork_here() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            os.close(write_end)
            os.read(read_end, 1)  # lives on until the parent has done its part
            os._exit(0)
        children.append(child)

    with storage._folder.locked(alone=True):
        fork_here()
    write(storage, 2)
    assert numbers(FileTraceStorage(tmp_path)) == [1, 2]
    os.close(write_end)
    assert os.waitpid(children[0], 0)[1] == 0
    os.close(read_end)


# --- arguments


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"base_path": ""}, "base_path=''"),
        ({"base_path": 3}, "base_path=3"),
        ({"max_file_size_mb": 0}, "max_file_size_mb=0"),
        ({"max_file_size_mb": float("nan")}, "max_file_size_mb=nan"),
        ({"max_file_size_mb": float("inf")}, "max_file_size_mb=inf"),
        ({"max_file_size_mb": "1"}, "max_file_size_mb='1'"),
        ({"max_file_size_mb": True}, "max_file_size_mb=True"),
        ({"max_files": 0}, "max_files=0"),
        ({"max_files": 2.5}, "max_files=2.5"),
        ({"max_files": True}, "max_files=True"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(tmp_path, arguments, told):
    """With the value and the remedy."""
    with pytest.raises(SettingsError, match=told):
        FileTraceStorage(**{"base_path": tmp_path, **arguments})


def test_a_directory_that_cannot_be_used_is_refused(tmp_path):
    """At once, and not at the first write."""
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "below", str(tmp_path / "nul\0")):
        with pytest.raises(SettingsError, match=r"cannot keep traces in .*; give a directory"):
            FileTraceStorage(path)


def test_a_closed_storage_refuses_to_write(tmp_path):
    """Closing twice is safe, and reading goes on working."""
    storage = FileTraceStorage(tmp_path)
    write(storage, 1)
    storage.close()
    storage.close()
    with pytest.raises(StorageError, match="closed"):
        write(storage, 2)
    assert numbers(storage) == [1]


def test_an_empty_batch_makes_no_file(tmp_path):
    """Nothing to keep, nothing to do."""
    FileTraceStorage(tmp_path).write(Batch())
    assert ours(tmp_path) == []


def test_a_file_of_a_newer_version_is_refused(tmp_path):
    """Reading would be silently incomplete, so it raises; writing does not go on in that file."""
    name = "vestigo-20260921-1-0123abcd.jsonl"
    newer = b'{"record":"vestigo","version":2,"created_ns":1,"pid":1}\n{"new":1}\n'
    (tmp_path / name).write_bytes(newer)
    storage = FileTraceStorage(tmp_path)
    write(storage, 1)
    assert (tmp_path / name).read_bytes() == newer
    with pytest.raises(SchemaError, match="version 2"):
        storage.get(span(1).trace_id)


def test_too_many_files_to_open_is_told(tmp_path):
    """A StorageError, not an OSError."""
    storage = FileTraceStorage(tmp_path, 0.001, 1000)
    for number in range(1, 40):
        write(storage, number, text="z" * 600)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(200)]  # so that no gap is left below
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(taken) + 15, before[1]))
    try:
        with pytest.raises(StorageError, match="too many open files"):
            numbers(storage)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for fd in taken:
            os.close(fd)
    assert numbers(storage) == list(range(1, 40))
