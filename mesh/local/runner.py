"""Brings one run of the gateway up, in the order its parts need each other."""

import fcntl
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from graphlib import TopologicalSorter
from pathlib import Path
from threading import Event

from tenacity import (
    Retrying,
    retry_if_not_exception_type,
    stop_after_delay,
    stop_when_event_set,
    wait_fixed,
)

from mesh.local import infra, places, pods
from mesh.local.parts import Part, select
from mesh.local.ports import allocate
from mesh.local.run import AlreadyUpError, Run, StartFailedError
from mesh.local.state import write_private
from mesh.local.supervise import Supervisor, sweep

PATIENCE_S = 60
RUNNING = frozenset({"STARTING", "RUNNING"})

Report = Callable[[Part, float], None]


class Runner(Run):
    """A run that can be started: the whole gateway, or some of its parts with what they need.

    Args:
        root: the folder that holds the run's state.
        only: names of parts; everything for None.
        besides: what parts find in their environment beside what they are told anyway, by their names.

    After `up`, `parts` holds what was started, by name.
    """

    def __init__(
        self, root: Path, only: Iterable[str] | None = None, besides: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        super().__init__(root)
        self.only = None if only is None else frozenset(only)
        self.besides = besides or {}
        self.parts: dict[str, Part] = {}

    def up(self, report: Report = lambda _part, _seconds: None) -> None:
        """Start every part as soon as those it needs work, and return when all do.

        `report` hears of each part that works and how many seconds it took. Raises AlreadyUpError; raises
        StartFailedError, having stopped everything again.
        """
        self.state.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.state.root / "starting").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyUpError from None
            self._up(report)

    def _up(self, report: Report) -> None:
        """Start everything, as the only one that does so in this folder."""
        if self.supervisor.alive():
            raise AlreadyUpError
        sweep(self.state)
        self.state = self.state.create()
        self.supervisor = Supervisor(self.state)
        ports = allocate(self.state, (*infra.PORTS, *places.PORTS))
        foundation = self._told(infra.parts(self.state, ports, infra.Tools.fetch()))
        rest = self._told((*pods.simulators(self.state, ports), *pods.pods(self.state, ports)))
        chosen = select((*foundation, *rest), self.only)
        self.parts = {part.name: part for part in chosen}
        addresses = {part.name: part.address for part in chosen}
        write_private(self.state.conf / "addresses.json", json.dumps(addresses, indent=2) + "\n")
        try:
            self.supervisor.start(chosen)
            self._start([part for part in chosen if part in foundation], report)
            if above := [part for part in chosen if part in rest]:
                self._configure(ports)
                self._start(above, report)
        except BaseException:
            self.down()
            raise

    def _told(self, parts: Iterable[Part]) -> tuple[Part, ...]:
        """Return parts with what they are told besides."""
        return tuple(
            replace(part, environment={**part.environment, **self.besides.get(part.name, {})}) for part in parts
        )

    def _configure(self, ports: Mapping[str, int]) -> None:
        """Tell the control plane what the mesh is made from. Only now is it known whose tokens the edge takes."""
        from mesh.local.configure import configure  # noqa: PLC0415 - takes a while to load, meanwhile parts start

        configure(self.state, ports)

    def _start(self, parts: Sequence[Part], report: Report) -> None:
        """Bring parts up side by side, each after those it needs. Raises StartFailedError for the first that fails."""
        by_name = {part.name: part for part in parts}
        order = TopologicalSorter({part.name: part.needs & by_name.keys() for part in parts})
        order.prepare()
        starting: dict[Future[float], Part] = {}
        failed = Event()
        with ThreadPoolExecutor(max_workers=len(parts) or 1) as pool:
            try:
                while order.is_active():
                    ready = [by_name[name] for name in order.get_ready()]
                    starting |= {pool.submit(self._bring_up, part, failed): part for part in ready}
                    for done in wait(starting, return_when=FIRST_COMPLETED).done:
                        part = starting.pop(done)
                        report(part, done.result())
                        order.done(part.name)
            except BaseException:
                failed.set()
                raise

    def _bring_up(self, part: Part, failed: Event) -> float:
        """Bring one part up and return the seconds it took. Gives up when another part has failed."""
        started = time.monotonic()
        try:
            for path, text in part.files.items():
                write_private(path, text)
            part.prepare()
            self.supervisor.launch(part.name)
            self._await(part, failed)
            part.provision()
        except StartFailedError:
            raise
        except Exception as error:
            raise StartFailedError(part.name, f"{type(error).__name__}: {error}", self.tail(part.name)) from error
        return time.monotonic() - started

    def _await(self, part: Part, failed: Event) -> None:
        """Wait until a part does its work.

        Raises StartFailedError when it ends instead, and its check's own error when it is late.
        """
        for attempt in Retrying(
            wait=wait_fixed(0.1),
            stop=stop_after_delay(PATIENCE_S) | stop_when_event_set(failed),
            retry=retry_if_not_exception_type(StartFailedError),
            reraise=True,
        ):
            with attempt:
                process = self.supervisor.process(part.name)
                if process.state not in RUNNING:
                    raise StartFailedError(part.name, process.explanation, self.tail(part.name))
                part.check()
