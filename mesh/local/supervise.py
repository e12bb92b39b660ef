"""Supervision: one supervisord per run starts every process again that ends, and is told what to do over its socket.

Every process of a run carries the run's folder in its environment. By that mark, and by nothing else, leftovers of a
killed supervisor are known to be ours.
"""

import configparser
import io
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from xmlrpc.client import ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from mesh.local.parts import Part, waves
from mesh.local.state import REPOSITORY, State, write_private

MARK = "FLORIN_SUPERVISED"
# What of the caller's environment is meant for every program. The rest, such as AWS_PROFILE, would lead parts astray.
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "JAVA_HOME")
STOP_PATIENCE_S = 10


@dataclass(frozen=True, slots=True)
class Process:
    """What the supervisor knows of one part; `address` is what it calls it."""

    name: str
    address: str
    state: str
    pid: int
    uptime_s: int
    explanation: str


def configuration(state: State, parts: Iterable[Part]) -> str:
    """Return the supervisor's configuration.

    Nothing starts by itself, everything that started is kept running, and on the way down dependents end first.
    """
    config = configparser.RawConfigParser()
    config["unix_http_server"] = {"file": str(state.socket("supervisor")), "chmod": "0700"}
    config["supervisord"] = {
        "logfile": str(state.log / "supervisord.log"),
        "pidfile": str(state.run / "supervisord.pid"),
        "childlogdir": str(state.log),
        "umask": "077",
        **({"user": "root"} if os.geteuid() == 0 else {}),
    }
    config["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    by_name = {part.name: part for part in parts}
    for index, wave in enumerate(waves(by_name.values())):
        # Ended by the supervisor itself, highest priority first, the members of one group side by side.
        config[f"group:wave{index}"] = {"programs": ",".join(sorted(wave)), "priority": str(index)}
        for name in sorted(wave):
            config[f"program:{name}"] = _program(state, by_name[name])
    text = io.StringIO()
    config.write(text)
    return text.getvalue()


def _program(state: State, part: Part) -> dict[str, str]:
    """Return the section of one part."""
    environment = ",".join(f"{name}={_quoted(value)}" for name, value in part.environment.items())
    return {
        "command": _literal(shlex.join(part.command)),
        "environment": _literal(environment),
        "directory": str(REPOSITORY),
        "autostart": "false",
        "autorestart": "true",
        "startretries": "1000",
        "stopsignal": part.stop_signal,
        "stopwaitsecs": str(STOP_PATIENCE_S),
        "killasgroup": "true",
        "stdout_logfile": str(state.log / f"{part.name}.log"),
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": "1",
        "redirect_stderr": "true",
    }


def _quoted(value: str) -> str:
    """Quote a value as supervisord reads it: it knows no escapes, but either kind of quotes."""
    return f"'{value}'" if '"' in value else f'"{value}"'


def _literal(text: str) -> str:
    """Return text so that the supervisor expands nothing in it."""
    return text.replace("%", "%%")


class Supervisor:
    """The supervisor of one run. Errors of the connection are OSError, refusals xmlrpc.client.Fault."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._addresses: dict[str, str] = {}

    def start(self, parts: Sequence[Part]) -> None:
        """Start the supervisor with these parts known to it and none running."""
        conf = self.state.conf / "supervisord.conf"
        write_private(conf, configuration(self.state, parts))
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment = {**inherited, "LC_ALL": "C.UTF-8", MARK: str(self.state.root)}
        # It leaves our session: Ctrl-C is for the command line, which then stops the parts in order.
        command = (sys.executable, "-m", "supervisor.supervisord", "-c", str(conf))
        with (self.state.log / "supervisord.log").open("a") as log:
            subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._answer()

    @retry(wait=wait_fixed(0.05), stop=stop_after_delay(10), retry=retry_if_exception_type(OSError), reraise=True)
    def _answer(self) -> None:
        """Wait until the supervisor answers."""
        self._call("getState")

    def alive(self) -> bool:
        """Return whether the supervisor answers."""
        try:
            self._call("getState")
        except OSError:
            return False
        return True

    def launch(self, name: str) -> None:
        """Start one part."""
        self._call("startProcess", self._address(name), False)

    def processes(self) -> list[Process]:
        """Return what is known of every part."""
        return [_process(info) for info in self._call("getAllProcessInfo")]

    def process(self, name: str) -> Process:
        """Return what is known of one part."""
        return _process(self._call("getProcessInfo", self._address(name)))

    def _address(self, name: str) -> str:
        """Return what the supervisor calls a part; asked once, because a start asks for each part many times."""
        if name not in self._addresses:
            self._addresses = {process.name: process.address for process in self.processes()}
        return self._addresses[name]

    def shutdown(self) -> None:
        """End every part, dependents first, then the supervisor, and wait for it."""
        supervisor = psutil.Process(self._call("getPID"))
        self._call("shutdown")
        supervisor.wait(timeout=STOP_PATIENCE_S * 3)

    def _call(self, method: str, *arguments: object) -> Any:
        """Call the supervisor over its socket; every call has a connection of its own, so threads may call at once."""
        transport = SupervisorTransport(None, None, f"unix://{self.state.socket('supervisor')}")
        with ServerProxy("http://127.0.0.1", transport=transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)


def _process(info: dict[str, Any]) -> Process:
    """Return the supervisor's description in our terms."""
    uptime_s = info["now"] - info["start"] if info["pid"] else 0
    address = f"{info['group']}:{info['name']}"
    return Process(
        info["name"], address, info["statename"], info["pid"], uptime_s, info["spawnerr"] or info["description"]
    )


def marked(state: State) -> list[psutil.Process]:
    """Return every living process of this run, by the mark in its environment."""
    return [process for process in psutil.process_iter() if _mark(process) == str(state.root)]


def _mark(process: psutil.Process) -> str | None:
    """Return the run's folder that a process carries; None for strangers and for those that are ending."""
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None


def sweep(state: State) -> None:
    """End every process of this run that is still there, kindly first. For what a killed supervisor left."""
    give_up = time.monotonic() + STOP_PATIENCE_S
    # More than once, because a supervisor may have started a process again before it heard that it shall end.
    while leftovers := marked(state):
        for process in leftovers:
            _signal(process.terminate if time.monotonic() < give_up else process.kill)
        psutil.wait_procs(leftovers, timeout=1)


def _signal(send: Callable[[], object]) -> None:
    """Signal a process, which may have ended meanwhile."""
    try:
        send()
    except psutil.NoSuchProcess:
        return


def resident_bytes(processes: Iterable[psutil.Process]) -> int:
    """Return the resident memory of processes and all their descendants, each counted once."""
    family = {member for process in processes for member in _family(process)}
    return sum(_resident(member) for member in family)


def _family(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and its descendants; nothing when it has ended."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _resident(process: psutil.Process) -> int:
    """Return the resident bytes of one process; 0 when it has ended."""
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
