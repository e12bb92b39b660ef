"""The AWS emulator, made to remember what it has acknowledged.

ministack writes its state when it ends in good order; killed, it would lose the vault's keys, and with them every card
number. This runs in the emulator's own environment and has it write before it answers anything that changed something.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ministack import app as emulator  # type: ignore[import-not-found]
from ministack.core.persistence import save_all  # type: ignore[import-not-found]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]

READS = ("Decrypt", "Describe", "Encrypt", "Generate", "Get", "List", "ReEncrypt", "Sign", "Verify")


def changes(scope: Message) -> bool:
    """Return whether a request may change what the emulator keeps: an AWS action that is not known to only read."""
    headers = dict(scope.get("headers", ()))
    action = headers.get(b"x-amz-target", b"").decode().rpartition(".")[2]
    return bool(action) and not action.startswith(READS)


def durable(app: Asgi) -> Asgi:
    """Return `app` with its state on disk before each answer to a change."""

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        async def save_then_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                save_all(emulator._build_persistence_save_dict())  # noqa: SLF001 - the version is pinned
            await send(message)

        await app(scope, receive, save_then_send if changes(scope) else send)

    return serve


if __name__ == "__main__":
    emulator.app = durable(emulator.app)
    emulator.main()
