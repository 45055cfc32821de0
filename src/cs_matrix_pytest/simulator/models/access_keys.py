"""What accounts register for their VMs: SSH key pairs and user data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Owned


@dataclass(eq=False, kw_only=True, repr=False)
class SshKeyPair(Owned):
    entities: ClassVar[tuple[str, ...]] = ("SSHKeyPairResponse", "CreateSSHKeyPairResponse")
    label: ClassVar[str] = "SSH key pair"
    resource_type: ClassVar[str] = "SSHKeyPair"
    leaves_row: ClassVar[bool] = False

    name: str
    public_key: str
    fingerprint: str
    """MD5, ``88:0e:…``."""


@dataclass(eq=False, kw_only=True, repr=False)
class UserData(Owned):
    entities: ClassVar[tuple[str, ...]] = ("UserDataResponse",)
    label: ClassVar[str] = "user data"
    resource_type: ClassVar[str] = "UserData"

    name: str
    text: str
    """Base64."""
    params: str | None = None
    """Names of variables, with commas."""
    for_cni: bool = False
    """True for the CNI configuration of Kubernetes clusters."""
