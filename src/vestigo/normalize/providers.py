"""Names of model providers: what emitters write, as OpenTelemetry's registry spells it."""

from typing import Final

from vestigo.normalize.reading import as_text
from vestigo.record import Value

_NAMES: Final = {
    "openai": "openai", "anthropic": "anthropic", "cohere": "cohere", "groq": "groq", "deepseek": "deepseek",
    "perplexity": "perplexity",
    "az.ai.openai": "azure.ai.openai", "azure-openai": "azure.ai.openai", "azure_openai": "azure.ai.openai",
    "azure": "azure.ai.openai", "az.ai.inference": "azure.ai.inference",
    "aws": "aws.bedrock", "bedrock": "aws.bedrock", "amazon-bedrock": "aws.bedrock", "amazon_bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "google": "gcp.gen_ai", "google_genai": "gcp.gen_ai", "gemini": "gcp.gemini", "google.generative-ai": "gcp.gemini",
    "google-generative-ai": "gcp.gemini", "google_ai_studio": "gcp.gemini", "googleai": "gcp.gemini",
    "vertexai": "gcp.vertex_ai", "vertex_ai": "gcp.vertex_ai", "google.vertex": "gcp.vertex_ai",
    "google-vertex": "gcp.vertex_ai", "google_vertexai": "gcp.vertex_ai",
    "mistralai": "mistral_ai", "mistral": "mistral_ai", "xai": "x_ai", "moonshot": "moonshot_ai",
    "watsonx": "ibm.watsonx.ai", "watson": "ibm.watsonx.ai",
    "api.openai.com": "openai", "api.anthropic.com": "anthropic", "api.groq.com": "groq", "api.x.ai": "x_ai",
    "api.deepseek.com": "deepseek", "api.mistral.ai": "mistral_ai", "api.cohere.com": "cohere",
    "api.perplexity.ai": "perplexity", "generativelanguage.googleapis.com": "gcp.gemini",
}  # fmt: skip
"""`az.` is OpenLLMetry's, names with a dot behind them (`openai.chat`) the Vercel AI SDK's, `vertexai`, `mistralai`,
`xai`, `aws` OpenInference's, `google_genai` and the like LangChain's. Source: their semantic conventions, 2026-11.
"""


def as_provider(value: Value) -> str | None:
    """A provider by its registry name; one that nobody registered keeps its own."""
    told = as_text(value)
    if told is None:
        return None
    known = _NAMES.get(told)
    return known if known is not None else _unusual(told)


def _unusual(told: str) -> str:
    """Other case, or the AI SDK's API behind the name: `openai.responses`, `google.vertex.chat`."""
    name = told.lower()
    while name:
        if name in _NAMES:
            return _NAMES[name]
        if name in _REGISTERED:
            return name
        name = name.rpartition(".")[0]
    return told


_REGISTERED: Final = frozenset(_NAMES.values())
