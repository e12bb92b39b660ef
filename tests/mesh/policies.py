"""Contracts that say something else of one rpc."""

from typing import Any

from florin.options.v1 import options_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from mesh.topology import Contracts
from tests.mesh.world import contracts


def changed(rpc_name: str, change: Any) -> Contracts:
    """The contracts with one rpc's options changed, as a mistake would."""
    files = FileDescriptorSet.FromString(contracts().image)
    for file in files.file:
        for service in file.service:
            for rpc in service.method:
                if rpc.name == rpc_name:
                    change(rpc)
    return Contracts(files.SerializeToString())


def without(option: Any) -> Any:
    return lambda rpc: rpc.options.ClearExtension(option)


def access(**fields: Any) -> Any:
    stated = options_pb2.Access(**fields)
    return lambda rpc: rpc.options.Extensions[options_pb2.access].CopyFrom(stated)
