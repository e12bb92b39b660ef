"""What is not in the virtual environment: jars by Maven, the AWS emulator's own environment, the firewall's rules.

Each lands in a folder of its version, `${XDG_CACHE_HOME:-~/.cache}/florin/<name>-<key>/`. The key is a hash of the
files that pin it, so a new version is a new folder and two checkouts share what they have in common. A folder appears
by one rename, hence is whole or absent.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
JARS = HERE / "jars.sha256"
LOOPBACK_DYNAMODB = HERE / "java" / "LoopbackDynamoDb.java"
MINISTACK_LOCK = HERE.parents[1] / "requirements" / "ministack.txt"
GO_LOCK = HERE.parents[1] / "requirements" / "go.txt"
CORERULESET = HERE / "coreruleset.sum"

# The published rules have lost the empty line by which ModSecurity sees that a chained rule without actions ends.
CHAIN_S_END = 'SecRule TX:EARLY_BLOCKING "@eq 1"\n'


def cache() -> Path:
    """Return the folder that all downloads of this user share."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "florin"


def kafka() -> Path:
    """Return the folder of Kafka's jars."""
    return _once("kafka", lambda folder: _jars("kafka", folder), POM, JARS)


def dynamodb() -> Path:
    """Return the folder of DynamoDB Local's jars, its native libraries and our launcher's class."""

    def fetch(folder: Path) -> None:
        _jars("dynamodb", folder)
        _run("javac", "-cp", f"{folder}/*", "-d", folder, LOOPBACK_DYNAMODB)

    return _once("dynamodb", fetch, POM, JARS, LOOPBACK_DYNAMODB)


def protos() -> Path:
    """Return the folder that holds buf/validate/validate.proto, the rules' own contract."""

    def fetch(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as jars:
            _jars("protovalidate", Path(jars))
            (jar,) = Path(jars).glob("*.jar")
            with zipfile.ZipFile(jar) as archive:
                archive.extract("buf/validate/validate.proto", folder)

    return _once("protos", fetch, POM, JARS)


def ministack() -> Path:
    """Return the interpreter of the AWS emulator's environment; it pins an older botocore than ours."""
    fetch = partial(_environment, MINISTACK_LOCK)
    return _once(f"ministack-py{sys.version_info.minor}", fetch, MINISTACK_LOCK) / "bin" / "python"


def coreruleset() -> Path:
    """Return the folder of the OWASP Core Rule Set, which is published as a Go module: `rules` and their `tests`."""

    def fetch(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            module = _go_module(*CORERULESET.read_text().split(), scratch=Path(scratch))
            shutil.copytree(module / "rules" / "@owasp_crs", folder / "rules")
            shutil.copytree(module / "tests", folder / "tests")
        for path in (folder / "rules").glob("*.conf"):
            path.write_text(path.read_text().replace(CHAIN_S_END, CHAIN_S_END + "\n"))

    return _once("coreruleset", fetch, CORERULESET)


DOWNLOADS: tuple[Callable[[], Path], ...] = (kafka, dynamodb, ministack, protos, coreruleset)


def _once(name: str, fetch: Callable[[Path], None], *pinned_by: Path) -> Path:
    """Return the cached folder of `name`, filled by `fetch` if this version of it is not there yet."""
    key = hashlib.sha256(b"".join(path.read_bytes() for path in pinned_by)).hexdigest()[:12]
    home = cache() / f"{name}-{key}"
    if home.exists():
        return home
    with _alone(home.with_suffix(".lock")), tempfile.TemporaryDirectory(dir=cache(), prefix=f".{name}-") as folder:
        if not home.exists():
            started = time.monotonic()
            sys.stderr.write(f"downloading {name} into {home}\n")
            fetch(Path(folder, name))
            Path(folder, name).rename(home)
            sys.stderr.write(f"downloaded {name} in {time.monotonic() - started:.1f} s\n")
    return home


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold `lock` so that two processes do not download the same thing twice."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _environment(lock: Path, folder: Path) -> None:
    """Make a virtual environment that holds what `lock` pins."""
    uv, python = Path(sys.executable).with_name("uv"), folder / "bin" / "python"
    _run(uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, folder)
    _run(uv, "pip", "install", "--quiet", "--require-hashes", "--python", python, "-r", lock)


def _go_module(name: str, version: str, checksum: str, *, scratch: Path) -> Path:
    """Let Go bring a module into `scratch`, and compare it with its checksum (`h1:...`, as in a go.sum file).

    A machine without Go gets one there for the moment.
    """
    go = shutil.which("go")
    if not go:
        _environment(GO_LOCK, scratch / "go")
        go = str(scratch / "go" / "bin" / "go")
    surroundings = os.environ | {"GOMODCACHE": str(scratch / "modules"), "GOFLAGS": "-modcacherw"}
    command = (go, "mod", "download", "-json", f"{name}@{version}")
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=surroundings, cwd=scratch)
    module = json.loads(told.stdout)
    if module["Sum"] != checksum:
        raise ValueError(f"{name} {version} is not the module that is pinned")
    return Path(module["Dir"])


def _jars(profile: str, folder: Path) -> None:
    """Let Maven copy a profile's jars into `folder`, and compare each with the hash this repository knows."""
    folder.mkdir(exist_ok=True)
    goal = ("dependency:copy-dependencies", f"-DoutputDirectory={folder}", "-DincludeScope=runtime")
    _run("mvn", "--quiet", "--batch-mode", "--strict-checksums", "-f", POM, "-P", profile, *goal)
    known = set(JARS.read_text().splitlines())
    for jar in sorted(folder.iterdir()):
        if f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}" not in known:
            raise ValueError(f"{jar.name} is not the file that {JARS.name} pins")


def _run(program: str | Path, *arguments: str | Path) -> None:
    """Run one tool; its words go to the terminal. Raises FileNotFoundError saying which tool is missing."""
    if not shutil.which(program):
        raise FileNotFoundError(f"{program} is needed for this download and is not on the PATH")
    subprocess.run([program, *arguments], check=True, stdout=sys.stderr)


def main() -> None:
    """Fetch whatever is missing and say where each lies."""
    for download in DOWNLOADS:
        sys.stdout.write(f"{download.__name__:10} {download()}\n")


if __name__ == "__main__":
    main()
