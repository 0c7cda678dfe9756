"""One address that requests are posted to: HTTP as it should be, and whatever else comes back."""

import socket
import threading
import time

import pytest
from sink import sink

from vestigo import otlp
from vestigo.errors import SettingsError
from vestigo.sdk.endpoint import Endpoint

JSON = {"Content-Type": "application/json"}
BODY = otlp.encode("traces", "json", [])


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://x", "no http address"), ("http://", "no http address"), ("http://x:99999", "65535"),
        ("http://me:secret@x", "api_key"), ("http://x?y=1", r"'\?'"), ("http://x/a b", "blank"), ("x:4318", "no http"),
        ("http://" + "a" * 64, "label"),
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_told_with_the_remedy(url, told):
    """SettingsError, which never shows a password."""
    with pytest.raises(SettingsError, match=told) as caught:
        Endpoint(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("X-A", "a\r\nX-B: c"), ("X A", "b"), ("", "b"), ("X-A", "ü")])
def test_a_header_that_would_break_the_request_is_refused(name, value):
    """At configuration, not when the first request is sent."""
    with pytest.raises(SettingsError, match="header"):
        Endpoint("http://x", {name: value})


def test_a_path_is_kept_and_the_path_of_a_signal_is_not_needed():
    """Collectors behind a proxy have a prefix; some settings name the whole path."""
    assert Endpoint("http://X:4318/prefix/").url == "http://x:4318/prefix"
    assert Endpoint("https://x/otlp/v1/traces").url == "https://x/otlp"


def test_requests_share_one_connection():
    """And one that the server has closed is opened again without a trouble of its."""
    with sink() as server:
        endpoint = Endpoint(server.url + "/prefix")
        for _ in range(3):
            assert endpoint.post("/v1/traces", BODY, JSON).status == 200
        first = endpoint._connection
        assert first.sock is not None
        first.sock.shutdown(socket.SHUT_RDWR)
        assert endpoint.post("/v1/traces", BODY, JSON).status == 200
        assert endpoint._connection is not first
        assert [path for _, path, _, _ in server.requests] == ["/prefix/v1/traces"] * 4
        endpoint.close()


def test_a_redirect_is_an_answer_like_others():
    """Records go where the configuration says and nowhere else."""
    with sink(302) as server:
        endpoint = Endpoint(server.url)
        answer = endpoint.post("/v1/traces", BODY, JSON)
        assert (answer.status, answer.retryable, len(server.requests)) == (302, False, 1)
        endpoint.close()


def test_no_proxy_of_the_environment_is_used(monkeypatch):
    """A variable that was set for other programs does not see our records."""
    with sink() as server, sink() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        endpoint = Endpoint(server.url)
        assert endpoint.post("/v1/traces", BODY, JSON).status == 200
        assert (len(server.requests), len(proxy.requests)) == (1, 0)
        endpoint.close()


@pytest.mark.parametrize("mode", ["hang", "drip"])
def test_a_request_ends_within_its_time(mode):
    """Also where the answer comes byte by byte, each in time."""
    with sink(mode) as server:
        endpoint = Endpoint(server.url, timeout_s=0.3)
        begun = time.monotonic()
        answer = endpoint.post("/v1/traces", BODY, JSON)
        assert answer.status == 0
        assert answer.retryable
        assert time.monotonic() - begun < 3
        endpoint.close()


def test_closing_ends_a_request_under_way():
    """From another thread, at once."""
    with sink("hang") as server:
        endpoint = Endpoint(server.url, timeout_s=60)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(endpoint.post("/v1/traces", BODY, JSON)))
        thread.start()
        while endpoint._connection is None or endpoint._connection.sock is None:
            time.sleep(0.001)
        endpoint.close()
        thread.join(5)
        assert not thread.is_alive()
        assert answers[0].status == 0


def test_an_answer_before_the_request_was_read_is_heard():
    """A server that refuses a large body does not read it to its end."""
    with sink("early 413") as server:
        endpoint = Endpoint(server.url)
        answer = endpoint.post("/v1/traces", b"x" * 20_000_000, JSON)
        assert answer.status in {413, 0}  # the system may throw away what it had received
        assert not server.ids
        endpoint.close()


def raw_server(answers):
    """Sends each of the byte strings to one connection, and closes it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                asked = b""
                while not asked.endswith(BODY):  # what is not read when it closes would reset the connection
                    asked += connection.recv(65536)
                connection.sendall(answer)
        listener.close()

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200),
        (b"HTTP/1.0 200 OK\r\n\r\n{}", 200),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}", 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n", 0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{}", 0),
        (b"HTTP/1.1 200 OK\r\n\r\n", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", 0),
        (b"HTTP/1.1 200", 0),
        (b"HTTP/1.1 2", 0),
        (b"nonsense\r\n\r\n", 0),
        (b"", 0),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000 + b"\r\n", 0),
        (b"HTTP/1.1 200 OK\r\n" + b"X" * 70_000, 0),
    ],
)
def test_an_answer_is_whole_or_none(answer, status):
    """What was cut off counts as no answer, so that the request is sent again."""
    endpoint = Endpoint(raw_server([answer]))
    assert endpoint.post("/v1/traces", BODY, JSON).status == status
    endpoint.close()


def test_an_answer_is_read_up_to_its_limit():
    """4 MiB, as OTLP says; the rest is not waited for."""
    endpoint = Endpoint(raw_server([b"HTTP/1.0 400 Bad\r\n\r\n" + b"x" * 6_000_000]))
    answer = endpoint.post("/v1/traces", BODY, JSON)
    assert (answer.status, len(answer.body)) == (400, 4 * 1024 * 1024)
    endpoint.close()


def test_https_is_not_spoken_with_a_server_that_cannot():
    """A failed handshake is a trouble of the connection."""
    with sink() as server:
        endpoint = Endpoint(server.url.replace("http:", "https:"), timeout_s=5)
        answer = endpoint.post("/v1/traces", BODY, JSON)
        assert answer.status == 0
        assert not server.requests
        endpoint.close()


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [("7", 7, 7), ("0", 0, 0), ("Fri, 31 Dec 1999 23:59:59 GMT", 0, 0), ("Fri, 31 Dec 2199 23:59:59 GMT", 1e9, 1e10),
     ("soon", None, None), ("-1", None, None)],
)  # fmt: skip
def test_the_time_to_come_back_is_seconds_or_a_date(header, low, high):
    """A date that has passed means now; nonsense means nothing."""
    told = f"HTTP/1.1 503 Busy\r\nRetry-After: {header}\r\nContent-Length: 0\r\n\r\n".encode()
    endpoint = Endpoint(raw_server([told]))
    answer = endpoint.post("/v1/traces", BODY, JSON)
    assert answer.status == 503
    assert (answer.retry_after_s is None) if low is None else low <= answer.retry_after_s <= high
    endpoint.close()
