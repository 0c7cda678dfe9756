"""Patching, undoing and guarding, for any library: shown on a small client of our own and on `openai`."""

import asyncio
import gc
import inspect
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from provider import Provider, chat, streamed_chat

import vestigo.default
from vestigo import semconv
from vestigo.diagnostics import counters
from vestigo.errors import SettingsError
from vestigo.instrument import LIBRARIES, LLMCallLogger, instrument, tracer_source
from vestigo.instrument.wrap import (
    Asked,
    Call,
    Library,
    Note,
    Outcome,
    Recorder,
    patch_client,
    patch_library,
    unpatch_client,
)
from vestigo.record import Batch, Span
from vestigo.sdk.tracer import Tracer

package: Any = sys.modules["vestigo.instrument"]


class Kept:
    """An exporter that keeps the spans that ended."""

    def __init__(self) -> None:
        self.all: list[Span] = []

    def write(self, batch: Batch) -> None:
        self.all += [span for span in batch.spans if span.end_ns is not None]

    def close(self) -> None: ...


class Client:
    """A library's client: `ask` answers, and `ask_async` does later."""

    def __init__(self, word: str = "yes") -> None:
        self.word = word

    def ask(self, question: str, *, loud: bool = False) -> str:
        self._send(tries=3)
        if question == "fail":
            raise ValueError(question)
        return self.word.upper() if loud else self.word

    async def ask_async(self, question: str) -> str:
        await asyncio.sleep(0)
        return self.ask.__func__(self, question) if inspect.ismethod(self.ask) else self.word

    def _send(self, *, tries: int) -> None: ...

    def copy(self) -> "Client":
        return Client(self.word)


def read(_: Client, args: tuple[Any, ...], kwargs: dict[str, Any], recorder: Recorder) -> Asked | None:
    question = args[0]
    if question == "skip":
        return None
    if question == "broken ask":
        raise RuntimeError("ours")

    def content() -> dict[str, Any]:
        if question == "broken content":
            raise RuntimeError("ours")
        return {"question": question}

    def answered(answer: str) -> dict[str, Any]:
        if question == "broken answer":
            raise RuntimeError("ours")
        return {"answer": answer}

    if recorder.stream_usage:
        kwargs = {**kwargs, "loud": True}
    return Asked(f"ask {question}", {semconv.OPERATION: "chat"}, content, answered, None, args, kwargs)


def no_body(_: object) -> None: ...


def failed(error: BaseException) -> dict[str, Any]:
    if str(error) == "fail":
        return {"said": str(error)}
    raise RuntimeError("ours")


OWNER = f"{__name__}:Client"
LIBRARY = Library(
    "small",
    __name__,
    calls=(Call(OWNER, "ask", read, no_body, failed), Call(OWNER, "ask_async", read, no_body, failed)),
    notes=(Note(OWNER, "_send", lambda kwargs: {"tries": kwargs["tries"]}),),
    copies=("copy",),
)


class Setup:
    def __init__(self) -> None:
        self.kept = Kept()
        self.tracer = Tracer("svc", self.kept)
        self.recorder = Recorder(lambda: self.tracer, by=self)

    @property
    def spans(self) -> list[Span]:
        assert self.tracer.flush()
        return self.kept.all

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]


@pytest.fixture
def setup() -> Iterator[Setup]:
    before = dict(vars(Client))
    made = Setup()
    yield made
    made.tracer.close()
    assert dict(vars(Client)) == before, "the class was left patched"


def test_a_patched_class_records_each_call_and_the_undo_puts_it_back(setup: Setup) -> None:
    """The function keeps its name, signature and kind; afterwards the very same object stands there again."""
    original = vars(Client)["ask"]
    undo = patch_library(LIBRARY, setup.recorder)
    assert Client().ask("a", loud=True) == "YES"
    assert inspect.signature(Client.ask) == inspect.signature(original)
    assert inspect.iscoroutinefunction(Client.ask_async)
    assert Client.ask.__qualname__ == "Client.ask"
    undo()
    undo()
    assert vars(Client)["ask"] is original
    Client().ask("b")
    (span,) = setup.spans
    assert (span.name, span.attributes["question"], span.attributes["answer"]) == ("ask a", "a", "YES")
    assert span.attributes["tries"] == 3


async def test_an_async_function_is_recorded_when_it_is_awaited(setup: Setup) -> None:
    """Calling it records nothing; a coroutine that is closed unfinished is abandoned."""
    undo = patch_library(LIBRARY, setup.recorder)
    client = Client()
    pending = client.ask_async("a")
    assert setup.names == []
    assert await pending == "yes"
    half = client.ask_async("half")
    half.send(None)
    half.close()
    undo()
    assert "ask a" in setup.names
    left = next(span for span in setup.spans if span.name == "ask half")
    assert left.attributes[semconv.ABANDONED] is True


def test_patching_twice_records_once_and_each_undo_removes_its_own(setup: Setup) -> None:
    """The newest records; undone in any order, the class is whole again."""
    newer = Setup()
    undo = patch_library(LIBRARY, setup.recorder)
    undo_newer = patch_library(LIBRARY, newer.recorder)
    Client().ask("a")
    undo()
    Client().ask("b")
    undo_newer()
    Client().ask("c")
    assert (setup.names, newer.names) == ([], ["ask a", "ask b"])
    newer.tracer.close()


def test_a_client_that_is_wrapped_in_a_patched_class_records_once(setup: Setup) -> None:
    """The patch on the object goes first; when that is gone the one on the class records."""
    own = Setup()
    undo = patch_library(LIBRARY, setup.recorder)
    client = Client()
    patch_client(LIBRARY, client, own.recorder)
    client.ask("a")
    assert unpatch_client(client, own)
    assert not unpatch_client(client, own)
    client.ask("b")
    undo()
    client.ask("c")
    assert (own.names, setup.names) == (["ask a"], ["ask b"])
    assert vars(client) == {"word": "yes"}
    own.tracer.close()


def test_copies_go_with_the_client_that_they_were_made_from(setup: Setup) -> None:
    """A copy is recorded until the recorder is taken off the original; what is put on the copy stays on the copy."""
    own = Setup()
    client = Client()
    patch_client(LIBRARY, client, setup.recorder)
    copy = client.copy().copy()
    copy.ask("a")
    patch_client(LIBRARY, copy, own.recorder)
    copy.ask("b")
    client.ask("c")
    unpatch_client(client, setup)
    unpatch_client(copy, own)
    copy.ask("d")
    client.copy().ask("e")
    assert (setup.names, own.names) == (["ask a", "ask c"], ["ask b"])
    own.tracer.close()


def test_what_others_patched_stays(setup: Setup) -> None:
    """A patch below ours is called and put back; one above ours is not torn off, and ours then passes calls on."""
    client = Client()
    client.ask = lambda question: f"other {question}"
    below = client.ask
    patch_client(LIBRARY, client, setup.recorder)
    assert client.ask("a") == "other a"
    ours = client.ask
    client.ask = lambda question: f"above {ours(question)}"
    above = client.ask
    unpatch_client(client, setup)
    patch_client(LIBRARY, client, setup.recorder)
    unpatch_client(client, setup)
    assert client.ask is above
    assert client.ask("b") == "above other b"
    assert below("c") == "other c"
    assert setup.names == ["ask a"]


async def test_an_async_function_that_others_put_on_the_object_stays_async(setup: Setup) -> None:
    """It is awaited, and its answer is recorded."""

    async def other(question: str) -> str:
        return f"other {question}"

    client = Client()
    client.ask_async = other
    patch_client(LIBRARY, client, setup.recorder)
    assert await client.ask_async("a") == "other a"
    assert setup.spans[0].attributes["answer"] == "other a"


def test_attributes_copied_from_a_wrapped_object_do_not_bind_to_it(setup: Setup) -> None:
    """An object made by copying another's attributes can be wrapped itself."""
    client, twin = Client("yes"), Client("no")
    patch_client(LIBRARY, client, setup.recorder)
    vars(twin)["ask"] = vars(client)["ask"]
    patch_client(LIBRARY, twin, setup.recorder)
    assert twin.ask("a") == "no"


@pytest.mark.parametrize("question", ["broken ask", "broken content", "broken answer"])
def test_a_fault_of_ours_is_counted_and_the_call_goes_on(setup: Setup, question: str) -> None:
    """Whatever of ours raises, the program gets its answer."""
    before = counters.get("failed")
    undo = patch_library(LIBRARY, setup.recorder)
    assert Client().ask(question) == "yes"
    undo()
    assert counters.get("failed") == before + 1
    assert len(setup.spans) == (0 if question == "broken ask" else 1)


def test_a_fault_of_ours_while_an_error_is_recorded_leaves_the_error(setup: Setup) -> None:
    """The program gets its own exception, and the span has it."""
    undo = patch_library(LIBRARY, setup.recorder)
    client = Client()
    client.word = None  # type: ignore[assignment]
    with pytest.raises(AttributeError, match="upper"):
        client.ask("a", loud=True)
    undo()
    assert setup.spans[0].attributes[semconv.ERROR_TYPE] == "AttributeError"


@pytest.mark.parametrize("broken", ["tracer", "told"])
def test_a_tracer_or_listener_that_raises_does_not_disturb(setup: Setup, broken: str) -> None:
    """Neither can break the program's call."""

    def trouble(*_: object) -> Any:
        raise RuntimeError("no")

    recorder = Recorder(trouble) if broken == "tracer" else Recorder(lambda: setup.tracer, told=trouble)
    before = counters.get("failed")
    undo = patch_library(LIBRARY, recorder)
    assert Client().ask("a") == "yes"
    undo()
    assert counters.get("failed") == before + 1


def test_listeners_hear_of_calls_and_errors(setup: Setup) -> None:
    """An outcome has the span, all attributes, the content apart, the latency and the error."""
    heard: list[Outcome] = []
    undo = patch_library(LIBRARY, Recorder(lambda: setup.tracer, told=heard.append))
    Client().ask("a")
    with pytest.raises(ValueError, match="fail") as caught:
        Client().ask("fail")
    undo()
    good, bad = heard
    assert (good.attributes["answer"], good.content, good.error) == ("yes", {"question": "a"}, None)
    assert good.latency_ns > 0
    assert (bad.attributes["said"], bad.error) == ("fail", caught.value)
    assert bad.span.span_id == setup.spans[1].span_id


def test_a_recorder_may_change_what_is_asked_where_the_program_opted_in(setup: Setup) -> None:
    """The call is made with the arguments that the library's file gives back."""
    undo = patch_library(LIBRARY, Recorder(lambda: setup.tracer, stream_usage=True))
    assert Client().ask("a") == "YES"
    undo()


def test_calls_that_are_not_for_us_pass(setup: Setup) -> None:
    """Nothing is recorded of a call for which the library's file answers None."""
    undo = patch_library(LIBRARY, setup.recorder)
    assert Client().ask("skip") == "yes"
    undo()
    assert setup.spans == []


@pytest.mark.parametrize(
    ("owner", "method", "message"),
    [
        ("no_such_module_of_ours:Client", "ask", "small is not installed"),
        (f"{__name__}:Missing", "ask", "cannot instrument this small"),
        (OWNER, "missing", "install another version"),
    ],
)
def test_a_library_that_is_not_as_known_is_refused(setup: Setup, owner: str, method: str, message: str) -> None:
    """Told at configuration time, with nothing patched."""
    library = Library("small", __name__, (*LIBRARY.calls, Call(owner, method, read, no_body, failed)))
    with pytest.raises(SettingsError, match=message):
        patch_library(library, setup.recorder)


# --- instrument()


def test_instrument_records_all_clients_and_its_undo_ends_that() -> None:
    """Clients made before and after, plain and async, and afterwards nothing; no trace of it is left in `openai`."""
    kept = Kept()
    tracer = Tracer("svc", kept)
    before = dict(vars(openai.OpenAI)), dict(vars(openai.AsyncOpenAI))
    with Provider(*(chat() for _ in range(4))) as provider:
        where: dict[str, Any] = {"base_url": provider.url, "api_key": "k"}
        ask: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
        early = openai.OpenAI(**where)
        undo = instrument("openai", tracer=tracer)
        early.chat.completions.create(**ask)
        with openai.OpenAI(**where) as late:
            late.with_options(timeout=3).chat.completions.create(**ask)

        async def run() -> None:
            async with openai.AsyncOpenAI(**where) as client:
                await client.chat.completions.create(**ask)

        asyncio.run(run())
        undo()
        early.chat.completions.create(**ask)
        early.close()
    tracer.close()
    assert [span.name for span in kept.all] == ["chat m"] * 3
    assert (dict(vars(openai.OpenAI)), dict(vars(openai.AsyncOpenAI))) == before


def test_instrument_and_a_wrapped_client_record_once() -> None:
    """The client's own logger records its calls; the others go to the tracer of `instrument`."""
    everything, own = Kept(), Kept()
    all_tracer, own_tracer = Tracer("all", everything), Tracer("own", own)
    undo = instrument(tracer=all_tracer, stream_usage=True)
    with Provider(streamed_chat({"content": "a"}), streamed_chat({"content": "b"})) as provider:
        ask: dict[str, Any] = {"model": "m", "messages": [], "stream": True}
        with openai.OpenAI(base_url=provider.url, api_key="k") as client:
            list(client.chat.completions.create(**ask))
            LLMCallLogger(own_tracer).wrap_openai_client(client)
            list(client.chat.completions.create(**ask))
        undo()
        assert ["stream_options" in request.body for request in provider.requests] == [True, False]
    all_tracer.close()
    own_tracer.close()
    assert (len(everything.all), len(own.all)) == (1, 1)


def test_nonsense_given_to_instrument_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown name lists the known ones, a missing library says how to install it, a tracer must be one."""
    before = dict(vars(openai.OpenAI))
    with pytest.raises(SettingsError, match="cannot instrument 'opnai'; known are openai"):
        instrument("openai", "opnai", tracer=Tracer("svc", Kept()))
    with pytest.raises(SettingsError, match="tracer str has no span"):
        instrument("openai", tracer="tracer")
    monkeypatch.setitem(LIBRARIES, "no_such_library", "vestigo.instrument.no_such_library")
    with pytest.raises(SettingsError, match="no_such_library is not installed; pip install no_such_library"):
        instrument("openai", "no_such_library", tracer=Tracer("svc", Kept()))
    instrument(tracer=Tracer("svc", Kept()))()
    assert dict(vars(openai.OpenAI)) == before


def test_what_was_patched_before_a_failure_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the second library is not as known, the first is put back."""
    broken = Library("small", __name__, (Call(f"{__name__}:Missing", "ask", read, no_body, failed),))
    monkeypatch.setattr(sys.modules[__name__], "LIBRARY", broken)
    monkeypatch.setitem(LIBRARIES, "json", __name__)
    before = dict(vars(openai.OpenAI))
    with pytest.raises(SettingsError, match="cannot instrument this small"):
        instrument("openai", "json", tracer=Tracer("svc", Kept()))
    assert dict(vars(openai.OpenAI)) == before


def test_the_default_tracer_is_asked_for_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """`configure` may come after `instrument`; without the package's tracer it is refused."""
    assert package.get_tracer is vestigo.default.default_tracer
    first, second = Tracer("a", Kept()), Tracer("b", Kept())
    monkeypatch.setattr(package, "get_tracer", lambda: first)
    source = tracer_source(None)
    assert source() is first
    monkeypatch.setattr(package, "get_tracer", lambda: second)
    assert source() is second
    monkeypatch.setattr(package, "get_tracer", None)
    with pytest.raises(SettingsError, match="no default tracer"):
        source()
    with pytest.raises(SettingsError, match="give tracer="):
        tracer_source(None)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """The package loads `LLMCallLogger` when it is asked for, and nothing else."""
    assert package.LLMCallLogger is LLMCallLogger
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        package.Nonsense


def test_the_library_is_not_loaded_before_it_is_asked_for() -> None:
    """Importing the instrumentation imports neither `openai` nor an HTTP client."""
    code = """
import sys, vestigo.instrument.openai, vestigo.instrument.calls
print([name for name in ("openai", "httpx2") if name in sys.modules])
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_an_open_stream_is_written_when_the_program_ends() -> None:
    """A program that ends with a stream half read has its span, marked as abandoned."""
    code = """
import openai, sys
from vestigo.instrument import LLMCallLogger
from vestigo.sdk.tracer import Tracer
class Out:
    def write(self, batch):
        for span in batch.spans:
            if span.end_ns is not None:
                print(span.name, span.attributes.get("vestigo.abandoned"))
    def close(self): ...
client = LLMCallLogger(Tracer("svc", Out())).wrap_openai_client(openai.OpenAI(base_url=sys.argv[1], api_key="k"))
stream = client.chat.completions.create(model="m", messages=[], stream=True)
next(stream)
"""
    with Provider(streamed_chat({"content": "a"}, {"content": "b"}, pause_s=0.05)) as provider:
        shown = subprocess.run(
            [sys.executable, "-c", code, provider.url], capture_output=True, text=True, check=True, timeout=60
        )
    assert shown.stdout.split() == ["chat", "m", "True"]
    assert shown.stderr == ""


def test_a_stream_that_is_forgotten_closes_its_connection_as_ever() -> None:
    """Listening to a response does not keep it, and does not keep the client from closing it."""
    tracer = Tracer("svc", Kept())
    with Provider(streamed_chat({"content": "a"}, pause_s=0.05)) as provider:
        client = openai.OpenAI(base_url=provider.url, api_key="k")
        LLMCallLogger(tracer).wrap_openai_client(client)
        stream = client.chat.completions.create(model="m", messages=[], stream=True)
        next(stream)
        (connection,) = client._client._transport._pool.connections
        assert not connection.is_idle()
        del stream
        gc.collect()
        assert connection.is_closed() or connection.is_idle()
        client.close()
    tracer.close()
