"""The real edge and scripts of web pages: those of the origins that are named may call, and read the answer."""

import httpx
import pytest

from mesh.edge.browsers import HEARD, policy
from tests.mesh.backend import Backend
from tests.mesh.gate import PAYMENTS, good
from tests.mesh.world import ORIGINS

(SHOP,) = ORIGINS
STRANGERS = ["https://evil.example", "http://shop.example", "https://shop.example.evil.example", "null"]
PATHS = ["/v1/payments", "/v1/payments/pay_01JDZ3K8Q0W9V7X5T3R1P9N7M5", "/openapi.json", f"{PAYMENTS}/GetPayment"]


def preflight(client: httpx.Client, path: str, origin: str) -> httpx.Response:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, content-type"}
    return client.options(path, headers={"origin": origin, **asked})


def told(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


@pytest.mark.real
@pytest.mark.parametrize("path", PATHS)
def test_a_preflight_from_a_named_origin_is_answered_without_a_token(
    client: httpx.Client, behind: dict[str, Backend], path: str
) -> None:
    answer = preflight(client, path, SHOP)
    assert (answer.status_code, answer.content) == (200, b"")
    cors = told(answer)
    assert cors["access-control-allow-origin"] == SHOP
    assert {"GET", "POST"} <= set(cors["access-control-allow-methods"].split(", "))
    assert {"authorization", "content-type"} <= set(cors["access-control-allow-headers"].split(", "))
    assert cors["access-control-max-age"] == "600"
    assert "access-control-allow-credentials" not in cors
    assert not any(backend.seen for backend in behind.values())


@pytest.mark.real
@pytest.mark.parametrize("origin", STRANGERS)
@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
def test_no_other_origin_is_told_anything(
    client: httpx.Client, behind: dict[str, Backend], path: str, origin: str
) -> None:
    assert told(preflight(client, path, origin)) == {}
    assert not any(backend.seen for backend in behind.values())
    assert told(client.get(path, headers={**good(), "origin": origin})) == {}


@pytest.mark.real
@pytest.mark.parametrize(("headers", "status"), [(good(), 200), ({}, 401)])
def test_a_script_may_read_the_answer_a_refusal_too(
    client: httpx.Client, behind: dict[str, Backend], headers: dict[str, str], status: int
) -> None:
    answer = client.get("/v1/payments", headers={**headers, "origin": SHOP})
    assert client.get("/openapi.json", headers={"origin": SHOP}).headers["access-control-allow-origin"] == SHOP
    assert answer.status_code == status
    assert told(answer) == {
        "access-control-allow-origin": SHOP,
        "access-control-expose-headers": ", ".join(HEARD),
    }


@pytest.mark.parametrize("headers", [{"origin": ""}, {"origin": SHOP, "access-control-request-method": ""}, {}])
@pytest.mark.real
def test_what_is_no_preflight_goes_nowhere(
    client: httpx.Client, behind: dict[str, Backend], headers: dict[str, str]
) -> None:
    assert client.options("/v1/payments", headers=good() | headers).status_code == 405
    assert not any(backend.seen for backend in behind.values())


def test_by_default_no_origin_is_allowed() -> None:
    assert policy((), ["GET"]) == {}
