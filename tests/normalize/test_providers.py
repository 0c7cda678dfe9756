"""Names of providers."""

import pytest

from vestigo.normalize.providers import as_provider


@pytest.mark.parametrize(
    ("told", "registered"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("openai.responses", "openai"),
        ("az.ai.openai", "azure.ai.openai"),
        ("azure.ai.openai", "azure.ai.openai"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("gcp.gemini", "gcp.gemini"),
        ("vertexai", "gcp.vertex_ai"),
        ("my.own.gateway", "my.own.gateway"),
        ("Strands", "Strands"),
        ("", None),
        (None, None),
    ],
)
def test_a_provider_has_its_registered_name(told, registered):
    """The spellings of emitters give OpenTelemetry's name; an unregistered provider keeps its own."""
    assert as_provider(told) == registered
