"""The container's contract (`/ping`, `/invocations`), and the runtime's (`InvokeEndpoint`) in front of it.

A refused body gets 400 from the container; through the runtime it becomes SageMaker's ModelError, 424.
"""

import asyncio
from dataclasses import asdict

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sims.model.features import Request
from sims.model.scorer import Scorer
from sims.model.settings import ModelSettings

_BAD_REQUEST = 400
_MODEL_ERROR = 424


class Container:
    """The routes of one loaded model."""

    def __init__(self, scorer: Scorer, settings: ModelSettings) -> None:
        self._scorer, self._settings = scorer, settings

    async def ping(self, _request: HttpRequest) -> Response:
        """GET /ping."""
        return JSONResponse({"model_version": self._scorer.card.version})

    async def invocations(self, request: HttpRequest) -> Response:
        """POST /invocations."""
        await asyncio.sleep(self._settings.delay_ms / 1000)
        try:
            asked = Request.model_validate_json(await request.body())
        except ValidationError as invalid:
            return _refused(invalid)
        predictions = [asdict(one) for one in self._scorer.score(asked.instances)]
        return JSONResponse({"predictions": predictions})

    async def invoke_endpoint(self, request: HttpRequest) -> Response:
        """POST /endpoints/{name}/invocations, what boto3's sagemaker-runtime client calls."""
        if request.path_params["name"] != self._settings.endpoint:
            return _runtime_error(_BAD_REQUEST, "ValidationError", {"Message": "there is no such endpoint"})
        answer = await self.invocations(request)
        if answer.status_code == _BAD_REQUEST:
            details: dict[str, str | int] = {
                "Message": f"Received client error ({_BAD_REQUEST}) from primary",
                "OriginalStatusCode": _BAD_REQUEST,
                "OriginalMessage": bytes(answer.body).decode(),
            }
            return _runtime_error(_MODEL_ERROR, "ModelError", details)
        answer.headers["x-Amzn-Invoked-Production-Variant"] = "AllTraffic"
        return answer


def application(settings: ModelSettings) -> Starlette:
    """Return the server as an ASGI application; ArtefactError when the model is not what its card says."""
    container = Container(Scorer(settings.path), settings)
    return Starlette(
        routes=[
            Route("/ping", container.ping),
            Route("/invocations", container.invocations, methods=["POST"]),
            Route("/endpoints/{name}/invocations", container.invoke_endpoint, methods=["POST"]),
        ]
    )


def _refused(invalid: ValidationError) -> Response:
    first = invalid.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return JSONResponse({"error": {"field": field, "message": first["msg"]}}, status_code=_BAD_REQUEST)


def _runtime_error(status: int, kind: str, details: dict[str, str | int]) -> Response:
    return JSONResponse(details, status_code=status, headers={"x-amzn-errortype": kind})
