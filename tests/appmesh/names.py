"""A name server that knows what a test tells it, in place of the cluster's."""

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

A, IN, NO_SUCH_NAME = 1, 1, 3
HEADER = struct.Struct("!6H")


@contextmanager
def serving(known: Mapping[str, tuple[str, ...]]) -> Iterator[int]:
    """Answer for these names on a loopback port, which is returned; no other name exists."""

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            query, link = self.request
            link.sendto(answer(query, known), self.client_address)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def answer(query: bytes, known: Mapping[str, tuple[str, ...]]) -> bytes:
    """The answer to one question (RFC 1035, 4.1)."""
    identity = HEADER.unpack_from(query)[0]
    name, end = _name(query, HEADER.size)
    (kind,) = struct.unpack_from("!H", query, end)
    question = query[HEADER.size : end + 4]
    addresses = known.get(name.lower(), ()) if kind == A else ()
    flags = 0x8180 | (0 if name.lower() in known else NO_SUCH_NAME)
    # Each record points back at the name of the question, 12 bytes from the start.
    records = [struct.pack("!HHHIH4s", 0xC00C, A, IN, 1, 4, socket.inet_aton(one)) for one in addresses]
    return HEADER.pack(identity, flags, 1, len(records), 0, 0) + question + b"".join(records)


def _name(query: bytes, at: int) -> tuple[str, int]:
    labels = []
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += length + 1
    return ".".join(labels), at + 1
