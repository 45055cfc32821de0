"""Infrastructure that is kept for one account, or for one domain and those below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.models.vm import AffinityGroup
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class Dedication(Resource):
    entities: ClassVar[tuple[str, ...]] = (
        "DedicateZoneResponse",
        "DedicatePodResponse",
        "DedicateClusterResponse",
        "DedicateHostResponse",
    )
    label: ClassVar[str] = "dedicated resource"

    resource: Resource
    """A zone, a pod, a cluster or a host."""
    domain: Domain
    account: Account | None
    group: AffinityGroup
    """Whose VMs are placed on it."""
