"""The xDS protocol's rules, one by one, on the pure stream."""

import pytest

from mesh.control_plane.kinds import ASSIGNMENT, CLUSTER
from mesh.control_plane.subscription import Request
from tests.control_plane.client import Client, settled

BOTH = pytest.mark.parametrize("delta", [False, True], ids=["whole", "delta"])


@BOTH
@pytest.mark.parametrize("names", [(), ("*",)])
def test_a_wildcard_gets_everything_in_one_response(delta: bool, names: tuple[str, ...]) -> None:
    client = Client.connected("C a1 b2", delta=delta)
    assert client.subscribe("C", *names) == ["C a1 b2"]
    assert client.ack("C") == []


@BOTH
def test_a_wildcard_on_nothing_is_answered(delta: bool) -> None:
    assert Client.connected("L x1", delta=delta).subscribe("C") == ["C"]


@BOTH
def test_a_named_subscription_gets_what_it_names(delta: bool) -> None:
    assert Client.connected("C a1 b2 c1", delta=delta).subscribe("C", "a", "c") == ["C a1 c1"]


@pytest.mark.parametrize(
    ("delta", "letter", "first", "created"),
    [
        (False, "C", ["C a1"], ["C a1 z1"]),
        (False, "E", ["E a1"], ["E z1"]),
        (True, "C", ["C a1 -z"], ["C z1"]),
        (True, "E", ["E a1 -z"], ["E z1"]),
    ],
)
def test_what_does_not_exist_is_sent_once_it_does(
    delta: bool, letter: str, first: list[str], created: list[str]
) -> None:
    client = Client.connected(f"{letter} a1 b1", delta=delta)
    assert client.subscribe(letter, "a", "z") == first
    assert client.ack(letter) == []
    assert client.publish(f"{letter} a1 b1 z1") == created


@pytest.mark.parametrize(
    ("delta", "letter", "said"),
    [(False, "C", "C a2 b1"), (False, "E", "E a2"), (True, "C", "C a2"), (True, "E", "E a2")],
)
def test_a_change_is_told_as_the_variant_demands(delta: bool, letter: str, said: str) -> None:
    client = settled(f"{letter} a1 b1 c1", f"{letter} a b", delta=delta)
    assert client.publish(f"{letter} a2 b1 c2") == [said]
    assert client.ack(letter) == []


@pytest.mark.parametrize(
    ("delta", "letter", "said"),
    [(False, "C", ["C b1"]), (False, "E", []), (True, "C", ["C -a"]), (True, "E", ["E -a"])],
)
def test_a_removal_is_told_where_the_variant_can(delta: bool, letter: str, said: list[str]) -> None:
    client = settled(f"{letter} a1 b1", f"{letter} a b", delta=delta)
    assert client.publish(f"{letter} b1") == said
    client.ack_all()
    again = {(False, "C"): ["C a1 b1"]}.get((delta, letter), [f"{letter} a1"])
    assert client.publish(f"{letter} a1 b1") == again


@BOTH
def test_nothing_is_said_when_nothing_changed(delta: bool) -> None:
    client = settled("C a1 E a1", "C", "E a", delta=delta)
    assert client.publish("C a1 E a1 L x1") == []
    assert client.publish("C a1 E a1 b1") == []


@BOTH
def test_one_push_at_a_time_and_later_ones_are_merged(delta: bool) -> None:
    client = settled("C a1 b1", "C", delta=delta)
    assert client.publish("C a2 b1") == ["C a2" if delta else "C a2 b1"]
    assert client.publish("C a3 b1") == []
    assert client.publish("C a3 b4") == []
    assert client.ack("C") == ["C a3 b4"]
    assert client.ack("C") == []


@BOTH
def test_a_refusal_keeps_the_client_where_it_is_until_there_is_something_else(delta: bool) -> None:
    client = settled("C a1 b1", "C", delta=delta)
    client.publish("C a2 b1")
    assert client.ack("C", error="no such thing as a2") == []
    assert client.publish("C a2 b1 L x1") == []
    subscription = client.stream.subscriptions[CLUSTER]
    assert subscription.accepted["a"] == "1"
    assert (subscription.refused["a"].version, subscription.refused["a"].words) == ("2", "no such thing as a2")
    assert subscription.refusals == 1
    assert client.publish("C a3 b1") == ["C a3" if delta else "C a3 b1"]
    client.ack_all()
    assert client.stream.subscriptions[CLUSTER].refused == {}


@BOTH
def test_what_was_refused_together_goes_out_again_with_the_cure(delta: bool) -> None:
    client = settled("C a1 b1 c1", "C", delta=delta)
    client.publish("C a2 b2 c1")
    client.ack("C", error="a2 is bad, b2 was taken")
    assert client.publish("C a3 b2 c1") == ["C a3 b2" if delta else "C a3 b2 c1"]


def test_a_stale_nonce_is_ignored_in_state_of_the_world() -> None:
    client = settled("E a1 b1", "E a", delta=False)
    client.publish("E a2 b1")
    assert client.say(Request(ASSIGNMENT, frozenset({"a", "b"}), nonce="1")) == []
    assert client.stream.subscriptions[ASSIGNMENT].names == {"a"}


def test_a_stale_nonce_is_not_ignored_in_incremental() -> None:
    client = settled("E a1 b1", "E a", delta=True)
    client.publish("E a2 b1")
    assert client.say(Request(ASSIGNMENT, frozenset({"b"}), nonce="nobody's")) == ["E b1"]


@pytest.mark.parametrize("nonce", ["1", "nobody's", ""])
def test_a_refusal_of_a_response_of_old_changes_no_state(nonce: str) -> None:
    client = settled("E a1", "E a", delta=True)
    assert client.say(Request(ASSIGNMENT, nonce=nonce, error="too late")) == []
    assert client.stream.subscriptions[ASSIGNMENT].accepted == {"a": "1"}


def test_whole_names_replace_each_other_and_none_ends_it() -> None:
    client = settled("E a1 b1 c1", "E a b", delta=False)
    assert client.subscribe("E", "b", "c") == ["E c1"]
    client.ack_all()
    assert client.publish("E a2 b2 c1") == ["E b2"]
    client.ack_all()
    assert client.subscribe("E") == []
    assert client.publish("E a3 b3 c3") == []


def test_whole_a_wildcard_that_named_once_is_no_wildcard_when_empty() -> None:
    client = settled("C a1 b1", "C", "C a", delta=False)
    assert client.subscribe("C") == []
    assert client.publish("C a2 b2") == []


def test_whole_the_same_question_again_is_answered() -> None:
    client = settled("E a1", "E a", delta=False)
    assert client.subscribe("E", "a") == ["E a1"]
    assert client.ack("E") == []


def test_delta_a_name_asked_for_again_is_answered() -> None:
    client = settled("E a1", "E a", delta=True)
    assert client.subscribe("E", "a") == ["E a1"]


def test_delta_a_name_that_is_left_is_not_told_of_any_more() -> None:
    client = settled("E a1 b1", "E a b", delta=True)
    assert client.subscribe("E", leaves="b") == []
    assert client.publish("E a1 b2") == []
    assert client.subscribe("E", "b") == ["E b2"]


@pytest.mark.parametrize(("left", "said"), [("a", ["C a1"]), ("z", ["C -z"])])
def test_delta_a_name_that_is_left_and_covered_by_the_wildcard_is_answered(left: str, said: list[str]) -> None:
    client = settled("C a1 b1", "C * a z", delta=True)
    assert client.subscribe("C", leaves=left) == said


def test_delta_the_wildcard_can_be_left() -> None:
    client = settled("C a1 b1", "C", delta=True)
    client.subscribe("C", "a", leaves="*")
    client.ack_all()
    assert client.publish("C a2 b2") == ["C a2"]


def test_delta_a_legacy_wildcard_stays_when_names_are_added() -> None:
    client = settled("C a1 b1", "C", delta=True)
    client.subscribe("C", "a")
    client.ack_all()
    assert client.publish("C a1 b2") == ["C b2"]


@pytest.mark.parametrize(
    ("names", "held", "said"),
    [
        ((), {"a": "1", "b": "1"}, []),
        ((), {"a": "1", "b": "0"}, ["C b1"]),
        ((), {"a": "1", "gone": "7"}, ["C b1 -gone"]),
        (("a",), {"a": "1"}, []),
        (("a",), {"a": "0", "b": "0"}, ["C a1"]),
        (("a", "z"), {"a": "1"}, ["C -z"]),
    ],
)
def test_delta_what_an_earlier_stream_brought_is_not_sent_again(
    names: tuple[str, ...], held: dict[str, str], said: list[str]
) -> None:
    client = Client.connected("C a1 b1", delta=True, aggregated=False)
    assert client.subscribe("C", *names, held=held) == said
