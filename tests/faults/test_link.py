"""The line that can be harmed, before a peer that answers each message with itself."""

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from tests.faults.link import SLOW_S, Link, Weather

MESSAGE = b"0800 are you there"
SOON_S = 0.2


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while heard := self.request.recv(4096):
            self.request.sendall(heard)


@pytest.fixture
def link() -> Iterator[Link]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Link(lambda: ("127.0.0.1", server.server_address[1])) as link:
            yield link
        server.shutdown()


@pytest.fixture
def line(link: Link) -> Iterator[socket.socket]:
    host, port = link.address.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        assert _told(line) == MESSAGE
        yield line


def _told(line: socket.socket) -> bytes:
    line.sendall(MESSAGE)
    return line.recv(4096)


def _all_of(line: socket.socket) -> None:
    while line.recv(4096):
        pass


@pytest.mark.parametrize("cut", [Weather.DEAF, Weather.MUTE])
def test_what_is_cut_arrives_late(link: Link, line: socket.socket, cut: Weather) -> None:
    link.be(cut)
    line.sendall(MESSAGE)
    line.settimeout(SOON_S)
    with pytest.raises(TimeoutError):
        line.recv(4096)

    link.be(Weather.CLEAR)

    line.settimeout(5)
    assert line.recv(4096) == MESSAGE


def test_a_slow_line_is_slow(link: Link, line: socket.socket) -> None:
    link.be(Weather.SLOW)
    line.sendall(MESSAGE)
    line.settimeout(SLOW_S / 2)
    with pytest.raises(TimeoutError):
        line.recv(4096)

    line.settimeout(5)
    assert line.recv(4096) == MESSAGE


def test_a_line_is_reset_within_a_message_and_the_next_one_is_good(link: Link, line: socket.socket) -> None:
    link.be(Weather.RESET)
    line.sendall(MESSAGE)
    with pytest.raises(ConnectionResetError):
        _all_of(line)

    link.be(Weather.CLEAR)

    host, port = link.address.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as anew:
        assert _told(anew) == MESSAGE


def test_nobody_listens_behind_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    with Link(lambda: address) as link:
        host, port = link.address.split(":")
        with socket.create_connection((host, int(port)), timeout=5) as line:
            assert line.recv(1) == b""
