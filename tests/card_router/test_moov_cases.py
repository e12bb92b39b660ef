"""The named cases of moov-io/iso8583-connection's tests of its connection and its pool, and where they stand here.

They were written anew for Florin's link; what has no counterpart says why. `L` test_link, `A` test_link_answers,
`O` test_link_outcomes, `P` test_pool, `K` test_lakeside.

| moov's case | here |
|---|---|
| unsecure connection | L the_first_message_is_the_sign_on |
| with TLS | O over_tls |
| Connect times out | O a_handshake_that_does_not_end_times_out |
| no panic when Close before Connect | L closing_an_unopened_link_is_fine |
| OnConnect is called | L nothing_is_sent_before_the_sign_on_is_accepted |
| OnConnectCtx is called | K without_the_zone_key_nothing_is_sent |
| OnClose is called | L leaving_signs_off |
| OnCloseCtx is called | L leaving_signs_off |
| when OnCloseCtx returns error, we still close the connection | L leaving_does_not_depend_on_the_sign_off_being_answered |
| write into the connection | none: nothing is sent without waiting for its answer |
| write into the closed connection | O requests_after_the_peer_hung_up_are_not_sent |
| sends messages to server and receives responses | A a_request_is_answered |
| returns PackError when it fails to pack message | O a_request_that_breaks_the_dialect_is_not_sent |
| returns UnpackError with RawMessage when it fails to unpack message | O a_broken_answer_that_names_its_request_ends_it_at_once |
| it returns ErrConnectionClosed when Close was called | P a_closed_pool_takes_nothing_and_finishes_what_is_in_flight |
| it returns ErrSendTimeout when response was not received during SendTimeout time | O no_answer_in_time_leaves_the_outcome_unknown |
| it returns RejectedMessageError when message was rejected | O an_answer_without_a_response_code_is_a_broken_one |
| it does not return ErrSendTimeout when longer SendTimeout is set for Send | O each_request_has_its_own_patience |
| it returns error when message does not have STAN | O a_request_without_a_stan_is_not_sent |
| pending requests should complete after Close was called | L requests_in_flight_finish_while_closing |
| responses received asynchronously | A answers_come_in_any_order |
| automatically sends ping messages after ping interval | L an_idle_link_echoes |
| it handles unrecognized responses | A a_late_answer_is_handed_over |
| it handles incoming messages with same STANs not as reply but as incoming message | A a_host_request_with_the_same_stan_is_no_answer |
| should allow setting a custom connection without overwriting it in connect | none: a session is never reused |
| pending requests get ErrConnectionClosed if server closed the connection | O requests_in_flight_are_told_at_once_that_the_peer_hung_up |
| it returns ErrConnectionClosed when connection was closed by server | O requests_after_the_peer_hung_up_are_not_sent |
| ReadTimeoutHandler called after ReadTimeout elapses | L three_missed_echoes_end_the_connection |
| ErrorHandler is called when connection is closed | O bytes_that_name_no_request_end_none |
| ClosedHandler is called when connection is closed | L it_reconnects_after_the_peer_hung_up |
| ConnectionEstablishedHandler is called when connection is connected | L a_link_comes_up_when_its_acquirer_does |
| send and receive iso 8583 message | K a_whole_life |
| continue to read messages if message reader returns nil message and nil error | A a_frame_without_content_is_a_keep_alive |
| Status | P entering_does_not_need_every_acquirer |
| Connect() establishes connections to all servers | P entering_connects_to_every_address |
| Get returns next connection from the pool looping over the list of connections | P the_least_busy_connection_takes_the_next_request |
| when one of the servers is down it re-connects when server returns | P one_acquirer_down_leaves_the_other_and_it_comes_back |
| connection factory returning error should not break the reconnect loop | L a_refused_sign_on_is_tried_again |
| when MaxReconnectWait is set reconnect wait time will exponentially increase | L pauses_between_attempts_grow |
| Close() closes all connections | P a_closed_pool_takes_nothing_and_finishes_what_is_in_flight |
| Get() returns error when no connections | P nobody_there_is_not_sent |
| Connect() returns error when number or established connections is less than MinConnections | P entering_does_not_need_every_acquirer |
| Connect() returns no error when established >= MinConnections and later re-establish failed connections | P entering_does_not_need_every_acquirer |
| Get() returns filtered connections | P one_acquirer_down_leaves_the_other_and_it_comes_back |
"""  # noqa: E501 - a table of long names

import pytest

from tests.card_router import test_lakeside, test_link, test_link_answers, test_link_outcomes, test_pool

MODULES = {
    "L": test_link,
    "A": test_link_answers,
    "O": test_link_outcomes,
    "P": test_pool,
    "K": test_lakeside,
}
ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]] for line in str(__doc__).splitlines() if line.startswith("| ")
][1:]


def test_every_case_has_its_row() -> None:
    assert len(ROWS) == len({case for case, _ in ROWS}) == 44


@pytest.mark.parametrize(("case", "here"), ROWS, ids=[case for case, _ in ROWS])
def test_what_a_row_names_exists(case: str, here: str) -> None:
    where, _, name = here.partition(" ")

    assert where == "none:" or callable(getattr(MODULES[where], f"test_{name}")), case
