"""A model's endpoint that misbehaves on demand. How the real one behaves is tested against the simulator."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

GOOD: dict[str, Any] = {"score": 0.25, "reasons": ["hour_of_day"], "model_version": "m1"}


class Endpoint:
    """What it answers with next: `status` and `body`, after `release` is set when `held`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.asked: list[tuple[str, Any]] = []
        self.status = 200
        self.body: bytes = json.dumps({"predictions": [GOOD]}).encode()
        self.release = threading.Event()
        self.release.set()

    @classmethod
    @contextmanager
    def serving(cls) -> Iterator["Endpoint"]:
        """Serve on a free port until the block ends."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.daemon_threads = True
        endpoint = cls(f"http://127.0.0.1:{server.server_port}")
        _Handler.endpoints[server.server_port] = endpoint
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield endpoint
        finally:
            endpoint.release.set()
            server.shutdown()
            server.server_close()
            thread.join()


def environment(address: str) -> dict[str, str]:
    """Return what makes boto3 take an address for the model's."""
    return {
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": address,
        "AWS_REGION": "ap-south-1",
        "AWS_DEFAULT_REGION": "ap-south-1",
        "AWS_ACCESS_KEY_ID": "florinlocal",
        "AWS_SECRET_ACCESS_KEY": "florinlocal",
        "AWS_CONFIG_FILE": "/dev/null",
    }


class _Handler(BaseHTTPRequestHandler):
    endpoints: ClassVar[dict[int, Endpoint]] = {}
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    log_message: Callable[..., None] = lambda *_: None

    def do_POST(self) -> None:
        endpoint = self.endpoints[self.server.server_address[1]]  # type: ignore[index,misc]
        content = self.rfile.read(int(self.headers["Content-Length"]))
        endpoint.asked.append((self.path, json.loads(content)))
        endpoint.release.wait()
        try:
            self.send_response(endpoint.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(endpoint.body)))
            self.end_headers()
            self.wfile.write(endpoint.body)
        except OSError:
            # The caller's time was over.
            self.close_connection = True
