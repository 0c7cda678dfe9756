"""OTLP/gRPC under messages that grow when they are unpacked."""

import subprocess
import sys

import grpc
import pytest

pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory in kB")]

SERVER = """
import resource, sys
from vestigo.server.routes import Principal
from vestigo.server.rpc import Rpc
from vestigo.settings import ServerSettings

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

rpc = Rpc(ServerSettings(), lambda *message: b"", lambda headers, peer: (Principal("test"), "default"))
rpc.start(0)
print(rpc.port, peak(), flush=True)
sys.stdin.readline()
print(peak(), flush=True)
rpc.stop(1)
"""
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def test_bombs_cost_little_memory():
    """3 messages of 256 MiB in 256 kB each are refused for good, and the server grows by less than 128 MB."""
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port, before = map(int, process.stdout.readline().split())
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        export = channel.unary_unary(EXPORT)
        for _ in range(3):
            with pytest.raises(grpc.RpcError) as caught:
                export(bytes(256 * 1024 * 1024), compression=grpc.Compression.Gzip, timeout=60)
            assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        export(b"", timeout=10)
    after = int(process.communicate("\n", timeout=30)[0])
    assert process.returncode == 0
    assert after - before < 128
