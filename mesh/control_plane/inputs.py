"""What a control plane is told at its start: one file, from which all that it serves is made."""

from pathlib import Path

import boto3
from pydantic import BaseModel, ConfigDict, model_validator

from mesh.appmesh.envoy.setting import Place as ProxyPlace
from mesh.identity.kms import KmsKey
from mesh.topology import IDENTITIES, Contracts, EdgePlace, Place, Topology


class AppMeshInput(BaseModel):
    """Where App Mesh resources come from: files and folders, or the Kubernetes API of the cluster around.

    `cloud_map` has AWS Cloud Map asked for the instances of nodes that are found so. `places` says where proxies stand
    that have no pod of their own, by `namespace/name`; `identities` are those that get certificates, which a resource
    names as secret `spiffe://<trust domain>/<identity>`; into the file `refusals` goes what was not taken, and why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[Path, ...] = ()
    kubernetes: bool = False
    cloud_map: bool = False
    places: dict[str, ProxyPlace] = {}
    identities: tuple[str, ...] = ()
    refusals: Path | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "AppMeshInput":
        if bool(self.files) == self.kubernetes:
            raise ValueError("App Mesh resources come from files or from Kubernetes, one of both")
        if taken := sorted({*IDENTITIES} & {*self.identities}):
            raise ValueError(f"{', '.join(taken)}: these identities are the contracts' own")
        return self


class Inputs(BaseModel):
    """The file.

    `contracts` is the descriptor image, `identities` the folder of certificates, which is kept fresh and watched;
    `socket` is where Envoys connect, `port` an address for clients that need no secrets; `bootstraps` is a folder that
    gets every Envoy's `<node>/envoy.json`; `authority_key` is the id, ARN or alias of the KMS key
    (ECC_NIST_P256) that signs certificates, where that is no file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    contracts: Path
    places: dict[str, Place]
    edge: EdgePlace
    operator_mesh: Path
    operator_admin: Path
    identities: Path
    socket: Path
    port: str | None = None
    bootstraps: Path | None = None
    appmesh: AppMeshInput | None = None
    authority_key: str | None = None

    def signer(self) -> KmsKey | None:
        """Return the authority's key where it lies in KMS. Raises UnfitKeyError, and what boto3 raises."""
        return KmsKey(boto3.client("kms"), self.authority_key) if self.authority_key else None

    def identified(self) -> tuple[str, ...]:
        """Return everybody who gets a certificate."""
        return (*IDENTITIES, *(self.appmesh.identities if self.appmesh else ()))

    def topology(self) -> Topology:
        """Return the topology. Raises ContractError where the contracts say too little."""
        contracts = Contracts(self.contracts.read_bytes())
        return Topology(contracts, self.places, self.edge, self.operator_mesh, self.operator_admin)
