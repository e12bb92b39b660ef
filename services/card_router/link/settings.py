"""How patient a link is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """All durations in seconds.

    connect_timeout_s: for the TCP and TLS handshakes. network_timeout_s: for the answer to a sign-on, echo or sign-off.
    echo_interval_s: after this long without a byte from the acquirer an echo is sent; after missed_echoes in a row
    without an answer the connection is given up. first_pause_s, longest_pause_s: between attempts to connect, doubling,
    with jitter. stable_after_s: a connection that held this long starts over with the first pause when it ends.
    drain_timeout_s: how long closing waits for requests in flight. write_buffer_bytes: so much may wait for the
    acquirer to read before requests are refused as not sent.
    """

    connect_timeout_s: float = 5.0
    network_timeout_s: float = 10.0
    echo_interval_s: float = 30.0
    missed_echoes: int = 3
    first_pause_s: float = 0.5
    longest_pause_s: float = 30.0
    stable_after_s: float = 10.0
    drain_timeout_s: float = 30.0
    write_buffer_bytes: int = 65_536
