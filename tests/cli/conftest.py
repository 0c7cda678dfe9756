"""A storage with three small traces, and a way to run the command line in the process."""

import pytest

from vestigo import SQLiteTraceStorage, Tracer, score
from vestigo.cli import main
from vestigo.testing import FakeClock, counted_ids


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch, tmp_path):
    for name in ("VESTIGO_STORAGE", "VESTIGO_PROJECT", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VESTIGO_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def url(tmp_path):
    """The URL of a storage with traces `first`, `second` (failed) and `third`."""
    storage = SQLiteTraceStorage(tmp_path / "traces.db")
    with FakeClock(), counted_ids():
        tracer = Tracer("shop", storage)
        for name in ("first", "second", "third"):
            with tracer.trace(name, {"tier": "gold"}) as trace:
                trace.attribute("user.id", f"user-of-{name}")
                answer = {"role": "assistant", "parts": [{"type": "text", "content": f"hello {name}"}]}
                said = {
                    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
                    "gen_ai.usage.input_tokens": 1_000, "gen_ai.usage.output_tokens": 50,
                    "gen_ai.output.messages": [answer],
                }  # fmt: skip
                with tracer.span("chat gpt-4o", said, kind="CLIENT"):
                    pass
                if name == "second":
                    try:
                        with tracer.span("tool \x1b[31mred\x1b[0m\nline"):
                            raise TimeoutError("no answer")
                    except TimeoutError:
                        pass
            score(trace, "helpful", 0.5, tracer=tracer)
        tracer.flush()
    tracer.close()
    storage.close()
    return f"sqlite:////{tmp_path / 'traces.db'}"


@pytest.fixture
def run(url, capsys):
    """Runs `vestigo ...` on that storage; (exit code, standard output, standard error)."""

    def run(command, *arguments, storage=url):
        capsys.readouterr()
        try:
            code = main([command, "--storage", storage, *map(str, arguments)])
        except SystemExit as stop:
            code = stop.code
        told = capsys.readouterr()
        return code, told.out, told.err

    return run
