"""The chain: every kind of tampering with a row, a day's head or the end is found."""

import apsw
import pytest

from vestigo.server.chain import SCHEMA, START, Entry, check_chain, chunks, erase, head_of, holds, insert

DAY_NS = 86_400 * 1_000_000_000


def entry(number, **more):
    return Entry(principal="key:7f", action="read", project="shop", object=f"t{number}", address="::1", **more)


@pytest.fixture
def db():
    """Twelve entries over three days."""
    db = apsw.Connection(":memory:")
    db.execute(SCHEMA)
    for number in range(12):
        insert(db, [entry(number, time_ns=1_700_000_000_000_000_000 + number * DAY_NS // 4, detail={"n": number})])
    yield db
    db.close()


def test_an_untouched_chain_is_sound(db):
    """In one insert or in many, with days in between."""
    sequence, digest, _ = head_of(db)
    assert sequence == 12
    assert check_chain(db, [("kept", sequence, digest.hex()), ("start", 0, START.hex())]) == []
    assert db.execute("SELECT count(*) FROM day").get >= 2
    other = apsw.Connection(":memory:")
    other.execute(SCHEMA)
    assert head_of(other) == (0, START, 0)
    assert check_chain(other) == []
    insert(other, [entry(n, time_ns=1 + n * DAY_NS) for n in range(5)])
    assert check_chain(other) == []
    assert other.execute("SELECT count(*) FROM day").get == 4
    other.close()


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE entry SET principal = 'key:99' WHERE sequence = 5",
        "UPDATE entry SET time_ns = time_ns + 1 WHERE sequence = 5",
        "UPDATE entry SET outcome = 'no' WHERE sequence = 12",
        "UPDATE entry SET object = 'T4' WHERE sequence = 5",
        "UPDATE entry SET address = '::2' WHERE sequence = 5",
        "UPDATE entry SET project = 'lab' WHERE sequence = 5",
        "UPDATE entry SET action = 'write' WHERE sequence = 5",
        "UPDATE entry SET detail = '{}' WHERE sequence = 1",
        "UPDATE entry SET object_salt = detail_salt WHERE sequence = 5",
        "UPDATE entry SET hash = zeroblob(32) WHERE sequence = 5",
        "UPDATE entry SET time_ns = 9223372036854775807 WHERE sequence = 5",
        "UPDATE entry SET sequence = -5 WHERE sequence = 5",
        "UPDATE entry SET sequence = 99 WHERE sequence = 12",
        "UPDATE entry SET object = NULL WHERE sequence = 5",
        "DELETE FROM entry WHERE sequence = 1",
        "DELETE FROM entry WHERE sequence = 5",
        "CREATE TABLE t AS SELECT * FROM entry; UPDATE t SET sequence = 13; INSERT INTO entry SELECT * FROM t LIMIT 1",
        "UPDATE day SET hash = zeroblob(32)",
        "UPDATE day SET day = '2000-01-01'",
        "DELETE FROM day",
        "INSERT OR REPLACE INTO day VALUES(6, '2000-01-01', zeroblob(32))",
    ],
)
def test_tampering_is_found(db, tampering):
    """Changed, moved, removed, added: rows of the log and heads of days."""
    db.execute(tampering)
    assert check_chain(db)


def test_an_erasure_nobody_tells_of_is_found(db):
    """Commitments in the place of salts keep the hashes right, and are still found."""
    assert erase(db, "t4") == [5]
    assert check_chain(db) == ["entry 5 was erased, and no entry tells of it"]
    insert(db, [Entry(principal="a", action="audit.erase", detail={"sequences": [[5, 5]]}, time_ns=head_of(db)[2])])
    assert check_chain(db) == []
    db.execute("UPDATE entry SET action = 'x' WHERE sequence = 13")
    assert len(check_chain(db)) == 2


def test_a_forged_erasure_of_everything_takes_no_time(db):
    """Ranges as long as numbers go, or nonsense in their place, are read without harm."""
    for detail in ('{"sequences":[[0,9000000000000000000]]}', '{"sequences":1}', "{", "[]"):
        db.execute("UPDATE entry SET action = 'audit.erase', detail = ? WHERE sequence = 12", (detail,))
        assert "entry 12 was changed, or what stands before it" in check_chain(db)


def test_a_wholly_broken_chain_is_told_in_short(db):
    """Of very many troubles the first hundred are enough."""
    insert(db, [entry(n, time_ns=head_of(db)[2]) for n in range(200)])
    db.execute("UPDATE entry SET hash = zeroblob(32)")
    troubles = check_chain(db)
    assert len(troubles) == 101
    assert troubles[-1].startswith("and more")


def test_a_log_knows_its_heads(db):
    """The start, each entry's hash, and none else."""
    sequence, digest, _ = head_of(db)
    assert holds(db, (sequence, digest.hex()))
    assert holds(db, (0, START.hex()))
    assert not holds(db, (sequence - 1, digest.hex()))
    assert not holds(db, (99, digest.hex()))


def test_numbers_become_ranges():
    """Runs are one range; a hundred ranges are one piece; none is one empty piece."""
    assert list(chunks([1, 2, 3, 7, 9, 10])) == [[[1, 3], [7, 7], [9, 10]]]
    assert list(chunks([])) == [[]]
    assert [len(piece) for piece in chunks(range(0, 500, 2))] == [100, 100, 50]
