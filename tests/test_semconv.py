"""Attribute names: spelled as the conventions do, each once."""

from vestigo import semconv


def test_no_two_names_are_the_same_attribute():
    """Each constant is a different attribute, in the conventions' spelling."""
    names = [value for key, value in vars(semconv).items() if key.isupper() and isinstance(value, str)]
    assert len(names) == len(set(names))
    assert all(name == name.lower() and " " not in name for name in names)


def test_numbers_are_no_content():
    """What content sampling takes away never includes tokens, models or ids."""
    kept = {semconv.INPUT_TOKENS, semconv.OUTPUT_TOKENS, semconv.REQUEST_MODEL, semconv.RESPONSE_ID, semconv.TTFT_S}
    assert not kept & semconv.CONTENT_ATTRIBUTES
