"""How simulators with an HTTP interface are served."""

import signal

import uvicorn
from starlette.applications import Starlette


def serve(app: Starlette, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, and end in good order. The log says where it listens."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again once it has ended; by then it is of no interest.
        signal.signal(number, lambda *_: None)
    uvicorn.run(app, host=host, port=port, log_config=None, access_log=False)
