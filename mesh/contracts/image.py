"""The contracts as one descriptor image: what buf checks, what code is generated from, what Envoy transcodes by."""

import subprocess
import sys
from pathlib import Path

import google.rpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet

# Envoy turns an error's details into JSON only when their types are in its descriptor set.
ERROR_TYPES = ("google/rpc/error_details.proto", "google/rpc/status.proto")

COMMON_PROTOS = Path(next(iter(google.rpc.__path__))).parents[1]


def build(proto: Path, imports: Path, out: Path) -> Path:
    """Compile every contract under `proto` into one image with comments and imports.

    `imports` is the folder that holds buf/validate/validate.proto. Raises CalledProcessError with protoc's words.
    """
    files = sorted(str(path.relative_to(proto)) for path in proto.rglob("*.proto"))
    roots = [f"-I{folder}" for folder in (proto, imports, COMMON_PROTOS)]
    options = ["--include_imports", "--include_source_info", f"--descriptor_set_out={out}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *roots, *options, *files, *ERROR_TYPES], check=True)
    return out


def without_comments(image: Path) -> bytes:
    """Return the image as a program needs it: the same descriptors without source positions and comments."""
    files = FileDescriptorSet.FromString(image.read_bytes())
    for file in files.file:
        file.ClearField("source_code_info")
    return files.SerializeToString(deterministic=True)
