"""A protoc plugin that writes gRPC's Python stubs.

grpcio-tools carries the generator inside its protoc and ships no plugin for it; buf wants a plugin.
"""

import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc


def stubs(request: CodeGeneratorRequest) -> CodeGeneratorResponse:
    """Run the generator over the request's files and return what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "image.binpb")
        image.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
        out = Path(folder, "out")
        out.mkdir()
        arguments = ["protoc", f"--descriptor_set_in={image}", f"--grpc_python_out={out}", *request.file_to_generate]
        if protoc.main(arguments) != 0:
            return CodeGeneratorResponse(error="grpc_python failed; protoc's own words are above")
        return CodeGeneratorResponse(
            supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL,
            file=[
                CodeGeneratorResponse.File(name=str(path.relative_to(out)), content=path.read_text())
                for path in sorted(out.rglob("*_pb2_grpc.py"))
            ],
        )


if __name__ == "__main__":
    answer = stubs(CodeGeneratorRequest.FromString(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(answer.SerializeToString())
