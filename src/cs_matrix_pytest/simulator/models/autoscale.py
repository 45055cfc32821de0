"""Automatic scaling: what is measured, when that matters, and the groups of VMs that grow and shrink by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cs_matrix_pytest.simulator.models.access_keys import UserData
from cs_matrix_pytest.simulator.models.iam import Owned, User
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.networks import LoadBalancerRule
from cs_matrix_pytest.simulator.models.offerings import ServiceOffering
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class Counter(Resource):
    """Something that a provider measures."""

    entities: ClassVar[tuple[str, ...]] = ("CounterResponse",)
    label: ClassVar[str] = "counter"

    name: str
    source: str
    value: str
    provider: str


@dataclass(eq=False, kw_only=True, repr=False)
class Condition(Owned):
    entities: ClassVar[tuple[str, ...]] = ("ConditionResponse",)
    label: ClassVar[str] = "condition"

    counter: Counter
    operator: str
    threshold: int


@dataclass(eq=False, kw_only=True, repr=False)
class AutoScalePolicy(Owned):
    """What is to be done once all of its conditions hold for a while."""

    entities: ClassVar[tuple[str, ...]] = ("AutoScalePolicyResponse",)
    label: ClassVar[str] = "autoscale policy"

    name: str
    action: str
    """``SCALEUP`` or ``SCALEDOWN``."""
    duration: int
    """Seconds for which the conditions must hold."""
    quiet_time: int
    """Seconds after an action in which nothing is done."""
    conditions: list[Condition]


@dataclass(eq=False, kw_only=True, repr=False)
class AutoScaleVmProfile(Owned):
    """What new VMs of a group are like."""

    entities: ClassVar[tuple[str, ...]] = ("AutoScaleVmProfileResponse",)
    label: ClassVar[str] = "autoscale VM profile"

    zone: Zone
    service_offering: ServiceOffering
    template: Template
    grace_period: int
    """Seconds before a VM that is not needed any more is destroyed."""
    deploy_params: dict[str, str] = field(default_factory=dict)
    user: User | None = None
    user_data: str | None = None
    registered_user_data: UserData | None = None
    user_data_details: str | None = None
    display: bool = True


@dataclass(eq=False, kw_only=True, repr=False)
class AutoScaleVmGroup(Owned):
    entities: ClassVar[tuple[str, ...]] = ("AutoScaleVmGroupResponse",)
    label: ClassVar[str] = "autoscale VM group"
    resource_type: ClassVar[str] = "AutoScaleVmGroup"

    name: str
    rule: LoadBalancerRule
    profile: AutoScaleVmProfile
    fewest: int
    most: int
    interval: int
    """Seconds between two looks at what is measured."""
    up: list[AutoScalePolicy]
    down: list[AutoScalePolicy]
    state: str = "ENABLED"
    """``ENABLED``, ``DISABLED`` or ``SCALING``."""
    display: bool = True
    members: list[UserVm] = field(default_factory=list)
    made: int = 0
    """How many VMs were ever made for it."""
    holds_since: dict[AutoScalePolicy, float] = field(default_factory=dict)
    """Since when, in simulated seconds, the conditions of a policy hold."""
    quiet_until: dict[AutoScalePolicy, float] = field(default_factory=dict)

    @property
    def balanced(self) -> list[UserVm]:
        """Its VMs that still get load."""
        behind = [member for member, _ in self.rule.members]
        return [vm for vm in self.members if vm in behind]
