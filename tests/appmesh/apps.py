"""The walkthroughs' applications: servers that name their colour, and a front that asks for one."""

import random
import socketserver
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import h2.config
import h2.connection
import h2.events

Reply = Callable[[BaseHTTPRequestHandler], tuple[int, str]]
PORT = 8080


def colour(name: str) -> Reply:
    return lambda _request: (200, name)


def front(egress: tuple[str, int], host: str) -> Reply:
    """Ask `host` through the proxy beside it, and hand the colour header and the answer on."""

    def ask(request: BaseHTTPRequestHandler) -> tuple[int, str]:
        connection = HTTPConnection(*egress, timeout=60)
        asked = {"Host": host, **{name: value for name, value in request.headers.items() if name == "color_header"}}
        try:
            connection.request("GET", "/", headers=asked)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    return ask


def flaky(name: str, fault_rate: float) -> Reply:
    """Fail this share of the requests with 503; the same ones in every run."""
    chance = random.Random(7)
    return lambda _request: (503, "") if chance.random() < fault_rate else (200, name)


def held(name: str, let_go: threading.Event, at_most_s: float) -> Reply:
    """Keep every request until told to let go."""

    def wait(_request: BaseHTTPRequestHandler) -> tuple[int, str]:
        let_go.wait(at_most_s)
        return 200, name

    return wait


def echoed_host(request: BaseHTTPRequestHandler) -> tuple[int, str]:
    """Answer with the host and path that arrive."""
    return 200, f"{request.headers['Host']} {request.path}"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


@contextmanager
def served(address: str, reply: Reply, port: int = PORT) -> Iterator[None]:
    """An HTTP/1.1 application; `/ping` is always well."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = (200, "") if self.path == "/ping" else reply(self)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with Server((address, port), Handler) as server, _running(server):
        yield


@contextmanager
def served_http2(address: str, body: str) -> Iterator[None]:
    """An application that speaks nothing but HTTP/2 in plain text, with prior knowledge (RFC 9113, 3.3)."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
            connection.initiate_connection()
            self.request.sendall(connection.data_to_send())
            while data := self.request.recv(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        connection.send_headers(event.stream_id, [(":status", "200")])
                        connection.send_data(event.stream_id, body.encode(), end_stream=True)
                self.request.sendall(connection.data_to_send())

    class Http2(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Http2((address, PORT), Handler) as server, _running(server):
        yield


@contextmanager
def served_grpc(address: str, backend: grpc.GenericRpcHandler) -> Iterator[None]:
    """A gRPC application."""
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((backend,))
    server.add_insecure_port(f"{address}:{PORT}")
    server.start()
    try:
        yield
    finally:
        server.stop(0).wait()


@contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
