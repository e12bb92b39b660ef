"""From a source to the proxies, again and again: what was good stays until something better is whole."""

import structlog

from mesh.appmesh.admission import admit
from mesh.appmesh.envoy.setting import Instances
from mesh.appmesh.inventory import Inventory
from mesh.appmesh.refusals import Refusal
from mesh.appmesh.sources import Source
from mesh.appmesh.translate import Places, Proxy, in_pods, no_instances, translate

log = structlog.get_logger(__name__)


class Intake:
    """The App Mesh input of a control plane. Holds the inventory that was taken last, and why others were not."""

    def __init__(self, source: Source, places: Places = in_pods, instances: Instances = no_instances) -> None:
        self.source, self.places, self.instances = source, places, instances
        self.inventory = Inventory()
        self.refusals: tuple[Refusal, ...] = ()

    def proxies(self) -> dict[str, Proxy]:
        """Read the source and return every proxy by its node id. Raises SourceError where it cannot be read.

        Where anything is refused, all stays as it was: a source is one configuration, and half of one is another. Only
        at the start, when there is nothing to stay, what fits together is taken. `refusals` and the log say the rest.
        """
        admission = admit(self.source.read(), self.inventory)
        self.refusals = admission.refusals
        for one in admission.refusals:
            log.error("refused", origin=one.origin, resource=one.title, field=one.path, reason=one.reason)
        if not admission.refusals or not self.inventory.resources:
            self.inventory = admission.inventory
        return translate(self.inventory, self.places, self.instances)
