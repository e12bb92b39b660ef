"""What a control plane is told at its start: one file, from which all that it serves is made."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from mesh.topology import Contracts, EdgePlace, Place, Topology


class Inputs(BaseModel):
    """The file.

    `contracts` is the descriptor image, `identities` the folder of certificates, which is kept fresh and watched;
    `socket` is where Envoys connect, `port` an address for clients that need no secrets; `bootstraps` is a folder that
    gets every Envoy's `<node>/envoy.json`.
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

    def topology(self) -> Topology:
        """Return the topology. Raises ContractError where the contracts say too little."""
        contracts = Contracts(self.contracts.read_bytes())
        return Topology(contracts, self.places, self.edge, self.operator_mesh, self.operator_admin)
