"""The firewall's answers, read and written with Envoy's own types: the same bytes under two names."""

import json
from typing import Any

import grpc
import pytest
from envoy_data_plane.envoy.service.auth import v3 as envoy
from florin.authorizer.v1.check_pb2 import CheckRequest

from services.firewall.domain import LARGEST_BODY_BYTES, Findings, Request
from services.firewall.service import EDGE, Firewall
from tests.firewall.examples import PAN, PAYMENT


class Told:
    """Stands for the engine: it says what it is told to, and keeps what it was shown."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.shown: list[Request] = []

    def inspect(self, request: Request) -> Findings:
        self.shown.append(request)
        return self.findings


class Context:
    """One call's surroundings."""

    def __init__(self, caller: str = EDGE) -> None:
        self.caller = caller

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return (("x-florin-caller", self.caller),)

    async def abort(self, code: grpc.StatusCode, _details: str) -> None:
        raise PermissionError(code)


PASS, REFUSE = Findings((), refused=False), Findings((942100, 949110), refused=True)


def question(body: bytes = b"{}", path: str = "/v1/payments?a=b") -> CheckRequest:
    headers = {":authority": "florin.example", ":path": path, "content-type": "application/json", "x-a": "1"}
    http = envoy.AttributeContextHttpRequest(method="POST", path=path, headers=headers, raw_body=body)
    asked = envoy.CheckRequest(
        attributes=envoy.AttributeContext(
            request=envoy.AttributeContextRequest(http=http), context_extensions={"rpc": "florin.x.v1.X.Y"}
        )
    )
    return CheckRequest.FromString(bytes(asked))


async def answered(told: Told, asked: CheckRequest, caller: str = EDGE) -> envoy.CheckResponse:
    answer = await Firewall(told).Check(asked, Context(caller))  # type: ignore[arg-type]
    return envoy.CheckResponse.parse(answer.SerializeToString())


def refusal(answer: envoy.CheckResponse) -> tuple[int, dict[str, Any]]:
    denied = answer.denied_response
    assert answer.status is not None and answer.status.code != 0  # noqa: PT018
    assert denied is not None and denied.status is not None  # noqa: PT018
    return int(denied.status.code), json.loads(denied.body)


async def test_the_engine_is_shown_the_request_without_what_can_do_no_harm() -> None:
    told = Told(PASS)
    answer = await answered(told, question(json.dumps(PAYMENT).encode()))
    assert answer.status is not None and answer.status.code == 0  # noqa: PT018
    assert answer.ok_response == envoy.OkHttpResponse()
    (shown,) = told.shown
    assert (shown.method, shown.path) == ("POST", "/v1/payments?a=b")
    assert shown.headers == {"content-type": "application/json", "x-a": "1", "host": "florin.example"}
    assert b"order-1001" in shown.body
    assert PAN.encode() not in shown.body


async def test_a_refusal_has_the_one_shape_and_the_log_says_which_rules_and_nothing_of_the_request(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, body = refusal(await answered(Told(REFUSE), question(b'{"a": "' + PAN.encode() + b" or '1'='1\"}")))
    assert (status, body["code"]) == (403, 7)
    assert body["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "REQUEST_BLOCKED",
            "domain": "florin",
            "metadata": {},
        }
    ]
    logged = capsys.readouterr().out
    assert "942100" in logged
    assert "florin.x.v1.X.Y" in logged
    assert PAN not in logged + json.dumps(body)
    assert "'1'" not in logged


async def test_too_large_a_body_is_not_inspected_at_all() -> None:
    told = Told(PASS)
    status, body = refusal(await answered(told, question(b" " * (LARGEST_BODY_BYTES + 1))))
    assert (status, body["code"], body["details"][0]["reason"]) == (413, 3, "BODY_TOO_LARGE")
    assert told.shown == []


@pytest.mark.parametrize("caller", ["", "spiffe://florin.internal/payments", "edge"])
async def test_only_the_edge_may_ask(caller: str) -> None:
    with pytest.raises(PermissionError):
        await answered(Told(PASS), question(), caller)
