"""Across types: make before break, warming, who comes back, and what is kept alive; on the pure stream."""

import pytest

from mesh.control_plane.kinds import LISTENER
from mesh.control_plane.snapshot import Snapshot, Table
from mesh.control_plane.stream import beating, next_beat_s
from tests.control_plane.client import Client, resource, settled

BOTH = pytest.mark.parametrize("delta", [False, True], ids=["whole", "delta"])


@BOTH
def test_a_changed_cluster_is_followed_by_its_assignment(delta: bool) -> None:
    client = settled("C a1 b1 E a1 b1", "C", "E a b", delta=delta)
    assert client.publish("C a2 b1 E a1 b1") == ["C a2" if delta else "C a2 b1", "E a1"]
    assert client.ack_all() == []


@BOTH
def test_what_is_new_is_made_before_anything_points_at_it(delta: bool) -> None:
    client = settled("C a1 E a1 R x1", "C", "E a", "R x", delta=delta)
    assert client.publish("C a1 b1 E a1 b1 R x2") == ["C b1" if delta else "C a1 b1"]
    assert client.subscribe("E", "a", "b")[0].endswith("b1")
    assert client.ack("E") == []
    assert client.ack("C") == ["R x2"]
    assert client.ack_all() == []


@BOTH
def test_what_is_old_stays_until_nothing_points_at_it(delta: bool) -> None:
    client = settled("C a1 b1 R x1", "C", "R x", delta=delta)
    assert client.publish("C b1 R x2") == ["R x2"]
    assert client.ack("R") == ["C -a" if delta else "C b1"]
    assert client.ack_all() == []


def test_who_comes_back_is_told_what_is_new_before_what_points_at_it_and_loses_the_old_last() -> None:
    client = Client.connected("C b1 E b1 L l1 R l2", delta=True)
    assert client.subscribe("C", held={"a": "1"}) == ["C b1"]
    assert client.subscribe("E", "a", held={"a": "1"}) == []
    assert client.subscribe("L", held={"l": "1"}) == []
    assert client.subscribe("R", "l", held={"l": "1"}) == []
    assert client.subscribe("E", "b") == ["E b1"]
    assert client.ack("E") == []
    assert client.ack("C") == ["R l2"]
    assert client.ack("R") == ["C -a", "E -a"]


def test_who_comes_back_and_has_everything_is_told_nothing() -> None:
    client = Client.connected("C a1 E a1 L l1 R l1", delta=True)
    said = [client.subscribe("C", held={"a": "1"}), client.subscribe("E", "a", held={"a": "1"})]
    said += [client.subscribe("L", held={"l": "1"}), client.subscribe("R", "l", held={"l": "1"})]
    assert said == [[], [], [], []]
    assert client.stream.routed == (client.stream.latest,)


def test_who_comes_back_is_not_sent_what_is_only_known_by_name() -> None:
    client = Client.connected("C b1 L l1 R l2", delta=True)
    client.subscribe("C", held={"a": "1"})
    client.subscribe("R", "l", held={"l": "1"})
    assert client.subscribe("R", "l") == []


@BOTH
def test_a_refused_cluster_holds_back_what_points_at_it_and_a_cure_lets_it_go(delta: bool) -> None:
    client = settled("C a1 R x1", "C", "R x", delta=delta)
    client.publish("C a1 b1 R x2")
    assert client.ack("C", error="bad b") == []
    assert client.publish("C a1 b1 R x3") == []
    assert client.publish("C a1 b2 R x3") == ["C b2" if delta else "C a1 b2"]
    assert client.ack("C") == ["R x3"]


@BOTH
def test_a_refused_route_keeps_what_the_old_one_points_at(delta: bool) -> None:
    client = settled("C a1 b1 R x1", "C", "R x", delta=delta)
    client.publish("C b1 R x2")
    assert client.ack("R", error="bad x") == []
    assert client.publish("C b1 R x3") == ["R x3"]
    assert client.ack("R") == ["C -a" if delta else "C b1"]


@BOTH
def test_an_update_that_overtakes_another_still_keeps_the_order(delta: bool) -> None:
    client = settled("C a1 R x1", "C", "R x", delta=delta)
    client.publish("C b1 R x2")
    assert client.publish("C c1 R x3") == []
    assert client.ack("C") == ["C c1 -b" if delta else "C a1 c1"]
    assert client.ack("C") == ["R x3"]
    assert client.ack("R") == ["C -a" if delta else "C c1"]


def test_listeners_and_routes_wait_in_their_order() -> None:
    client = settled("C a1 L l1 R x1", "R x", "L", "C", delta=True)
    assert client.publish("C a1 L l2 R x2") == ["L l2", "R x2"]


@BOTH
def test_another_type_s_silence_holds_nothing_back_that_did_not_change_with_it(delta: bool) -> None:
    client = settled("E a1 R x1", "R x", delta=delta)
    client.subscribe("E", "a")
    assert client.publish("E a1 R x2") == ["R x2"]


MORTAL = Snapshot({LISTENER: Table.of([resource(LISTENER, "l", "1", ttl_s=10.0)])})


@BOTH
def test_what_is_mortal_is_kept_alive_by_heartbeats(delta: bool) -> None:
    client = Client.connected("", delta=delta, ttl=True)
    client.publish(MORTAL)
    client.subscribe("L")
    client.ack_all()
    assert next_beat_s(client.stream) == 5.0
    assert beating(client.stream, 4.9)[1] == ()
    stream, (beat,) = beating(client.stream, 5.0)
    assert (beat.heartbeat, [one.name for one in beat.resources]) == (True, ["l"])
    assert next_beat_s(stream) == 10.0


def test_nobody_is_sent_heartbeats_who_does_not_understand_them() -> None:
    client = Client.connected("", delta=True)
    client.publish(MORTAL)
    client.subscribe("L")
    assert next_beat_s(client.stream) is None
