"""Keys that encrypt volumes, and the profiles of what keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Account, Domain, Owned
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class HsmProfile(Resource):
    entities: ClassVar[tuple[str, ...]] = ("HSMProfileResponse",)
    label: ClassVar[str] = "HSM profile"

    name: str
    protocol: str
    """``database`` or ``pkcs11``."""
    account: Account | None
    """None: everybody's in ``domain``."""
    domain: Domain
    zone: Zone | None = None
    vendor: str | None = None
    enabled: bool = True
    is_public: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    """As they are shown: secret ones are none of the values that were given."""


@dataclass(eq=False, kw_only=True, repr=False)
class KmsKey(Owned):
    entities: ClassVar[tuple[str, ...]] = ("KMSKeyResponse",)
    label: ClassVar[str] = "KMS key"

    name: str
    zone: Zone
    profile: HsmProfile
    bits: int
    description: str | None = None
    version: int = 1
    enabled: bool = True

    @property
    def kek_label(self) -> str:
        """The name of the key's latest version."""
        owner = self.account
        return f"volume-kek-{owner.domain.number}-{owner.number}-{self.id.replace('-', '')}-v{self.version}"
