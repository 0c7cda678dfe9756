"""The tree of exceptions, as it is drawn at the top of errors.py."""

from vestigo import errors


def test_every_exception_is_in_the_drawn_tree():
    """The drawing names each class, below its parent, and all descend from VestigoError."""
    drawn = [
        line.strip("│├└─ ").split()[0] for line in errors.__doc__.splitlines() if "Error" in line or "Query" in line
    ]
    classes = {name for name, thing in vars(errors).items() if isinstance(thing, type)}
    assert classes == {name for name in drawn if name in classes}
    assert all(issubclass(getattr(errors, name), errors.VestigoError) for name in classes)
    assert issubclass(errors.UnsupportedQuery, errors.QueryError)
    assert issubclass(errors.SchemaError, errors.StorageError)


def test_errors_carry_what_a_caller_needs():
    """Position, retry time and rejected count stand beside the message."""
    assert errors.QueryError("bad", 7).position == 7
    assert errors.ExportError("later", 2.5).retry_after_s == 2.5
    assert errors.ExportError("never").retry_after_s is None
    assert errors.IngestError("broken", 3).rejected == 3
