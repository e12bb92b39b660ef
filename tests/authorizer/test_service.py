"""The authorizer's answers, read and written with Envoy's own types: the same bytes under two names."""

import json
from typing import Any

import grpc
import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.service.auth import v3 as envoy
from envoy_data_plane.google.protobuf import Struct
from florin.authorizer.v1.check_pb2 import CheckRequest
from florin.merchants.v1.merchant_service_pb2 import ApiClient

from services.authorizer.rules import rules
from services.authorizer.service import EDGE, Authorizer
from services.chassis import Unavailable
from services.chassis.contract import methods

CREATE = {"rpc": "florin.payments.v1.PaymentService.CreatePayment", "binding": "0"}
CLAIMS = {"client_id": "c1", "token_use": "access", "scope": "florin/payments.write florin/payments.read"}
SHOP = ApiClient(client_id="c1", merchant_id="mer_0001", active=True)


class Known:
    """Stands for what the merchants' service says."""

    def __init__(self, answer: ApiClient | Exception | None) -> None:
        self.answer = answer

    async def find(self, _client_id: str) -> ApiClient | None:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Context:
    """One call's surroundings."""

    def __init__(self, caller: str = EDGE) -> None:
        self.caller = caller

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return (("x-florin-caller", self.caller),)

    async def abort(self, code: grpc.StatusCode, _details: str) -> None:
        raise PermissionError(code)


def question(
    route: dict[str, str], claims: dict[str, Any] | None, body: bytes = b"{}", path: str = "/v1/payments"
) -> bytes:
    verified = {} if claims is None else {"envoy.filters.http.jwt_authn": Struct.from_dict({"jwt_payload": claims})}
    http = envoy.AttributeContextHttpRequest(
        method="POST", path=path, headers={"content-type": "application/json"}, raw_body=body, host="x", scheme="https"
    )
    return bytes(
        envoy.CheckRequest(
            attributes=envoy.AttributeContext(
                request=envoy.AttributeContextRequest(http=http),
                context_extensions=route,
                metadata_context=core.Metadata(filter_metadata=verified),
            )
        )
    )


async def answered(asked: bytes, known: Any = SHOP, context: Context | None = None) -> envoy.CheckResponse:
    authorizer = Authorizer(rules(methods().values()), Known(known), "florin")  # type: ignore[arg-type]
    answer = await authorizer.Check(CheckRequest.FromString(asked), context or Context())
    return envoy.CheckResponse.parse(answer.SerializeToString())


async def test_who_is_let_in_is_announced_and_nobody_else_s_word_stands() -> None:
    answer = await answered(question(CREATE, CLAIMS))
    assert answer.status is not None and answer.ok_response is not None  # noqa: PT018
    assert answer.status.code == 0
    told = {option.header.key: option.header.value for option in answer.ok_response.headers if option.header}
    assert told == {
        "x-florin-tenant": "mer_0001",
        "x-florin-client": "c1",
        "x-florin-scopes": "payments.read payments.write",
    }
    assert {option.append_action for option in answer.ok_response.headers} == {
        core.HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
    }


DOWN = Unavailable("AUTHORIZER_UNAVAILABLE", "later")


@pytest.mark.parametrize(
    ("asked", "known", "status", "reason"),
    [
        (question(CREATE, None), SHOP, 401, "TOKEN_MISSING"),
        (question(CREATE, CLAIMS | {"token_use": "id"}), SHOP, 401, "TOKEN_INVALID"),
        (question(CREATE, CLAIMS | {"aud": "other"}), SHOP, 401, "TOKEN_AUDIENCE"),
        (question(CREATE, CLAIMS | {"scope": "florin/payments.read"}), SHOP, 403, "INSUFFICIENT_SCOPE"),
        (question(CREATE, CLAIMS), None, 403, "CLIENT_UNKNOWN"),
        (question(CREATE, CLAIMS), ApiClient(client_id="c1", merchant_id="mer_0001"), 403, "CLIENT_INACTIVE"),
        (question(CREATE, CLAIMS), DOWN, 503, "AUTHORIZER_UNAVAILABLE"),
        (question(CREATE, CLAIMS, b"{"), SHOP, 400, "INVALID_JSON"),
        (question(CREATE, CLAIMS, b'{"x":1}'), SHOP, 400, "INVALID_FIELD"),
        (question(CREATE, CLAIMS, path="/v1/payments?x=1"), SHOP, 400, "INVALID_FIELD"),
        (question({"rpc": "florin.risk.v1.RiskService.GetDecision"}, CLAIMS), SHOP, 403, "CALL_NOT_IN_CONTRACT"),
        (question({}, CLAIMS), SHOP, 403, "CALL_NOT_IN_CONTRACT"),
    ],
)
async def test_a_refusal_is_an_http_answer_in_the_one_shape(asked: bytes, known: Any, status: int, reason: str) -> None:
    answer = await answered(asked, known)
    denied = answer.denied_response
    assert answer.status is not None and denied is not None and denied.status is not None  # noqa: PT018
    assert (int(denied.status.code), answer.status.code != 0) == (status, True)
    body = json.loads(denied.body)
    assert set(body) == {"code", "message", "details"}
    metadata = {"scope": "payments.write"} if reason == "INSUFFICIENT_SCOPE" else {}
    assert body["details"][0] == {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "florin",
        "metadata": metadata,
    }
    challenged = any(option.header and option.header.key == "www-authenticate" for option in denied.headers)
    assert challenged == (status == 401 or reason == "INSUFFICIENT_SCOPE")


async def test_bad_fields_are_named() -> None:
    answer = await answered(question(CREATE, CLAIMS, b'{"card":{"nubmer":"4111111111111111"}}'))
    assert answer.denied_response is not None
    (violation,) = json.loads(answer.denied_response.body)["details"][1]["field_violations"]
    assert (violation["field"], violation["description"]) == ("card.nubmer", "there is no such field")
    assert "4111" not in answer.denied_response.body


@pytest.mark.parametrize("caller", ["", "spiffe://florin.internal/payments", "edge"])
async def test_only_the_edge_may_ask(caller: str) -> None:
    with pytest.raises(PermissionError):
        await answered(question(CREATE, CLAIMS), context=Context(caller))
