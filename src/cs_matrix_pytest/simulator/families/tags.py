"""Tags on any resource (TaggedResourceManagerImpl)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_domain, check_owner, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import Account, Domain, Project, User
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import tag_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("tags")

TAGGABLE = frozenset(
    [
        "UserVm",
        "Template",
        "ISO",
        "Volume",
        "Snapshot",
        "Backup",
        "Network",
        "LoadBalancer",
        "PortForwardingRule",
        "FirewallRule",
        "SecurityGroup",
        "SecurityGroupRule",
        "PublicIpAddress",
        "Project",
        "Account",
        "Vpc",
        "NetworkACL",
        "StaticRoute",
        "VMSnapshot",
        "RemoteAccessVpn",
        "User",
        "SnapshotPolicy",
        "VpcOffering",
        "Domain",
    ]
)
DETAILED = frozenset(
    [
        "UserVm",
        "Template",
        "Volume",
        "Network",
        "Nic",
        "LoadBalancer",
        "PortForwardingRule",
        "FirewallRule",
        "PublicIpAddress",
        "Vpc",
        "NetworkACL",
        "RemoteAccessVpn",
        "Zone",
        "ServiceOffering",
        "Storage",
        "PrivateGateway",
        "NetworkACLList",
        "VpnGateway",
        "CustomerGateway",
        "VpnConnection",
        "User",
        "DiskOffering",
        "AutoScaleVmProfile",
        "AutoScaleVmGroup",
        "LBStickinessPolicy",
        "LBHealthCheckPolicy",
        "SnapshotPolicy",
        "GuestOs",
        "NetworkOffering",
    ]
)
OTHERS = frozenset(["VnfTemplate", "DomainRouter", "GuestOsCategory", "ObjectStore"])
RESOURCE_TYPES = {name.lower(): name for name in TAGGABLE | DETAILED | OTHERS}
"""ResourceTag.ResourceObjectType, by lower-case name."""


def resource_type_of(text: str) -> str:
    """A resource type's proper name."""
    found = RESOURCE_TYPES.get(text.lower())
    if found is None:
        raise InvalidParameterValue(f"Invalid resource type: {text}")
    return found


def kinds_of(cloud: Cloud, resource_type: str) -> list[type[Resource]]:
    """The classes that a resource type means."""
    return [kind for kind in cloud.registry.views if kind.resource_type == resource_type]


def resource_of(call: Call, resource_type: str, id: str) -> Resource:
    """The live resource of a type that a uuid or an internal number names."""
    for kind in kinds_of(call.cloud, resource_type):
        table = call.cloud.store.table(kind)
        found = table.by_number(int(id)) if id.isdecimal() else table.get(id)
        if found is not None and found in table:
            return found
    raise InvalidParameterValue(f"Unable to find resource by uuid {id} and type {resource_type}")


def owner_of(resource: Resource) -> Account | None:
    """Whose a resource is; None for what belongs to nobody."""
    if isinstance(resource, Account):
        return resource
    if isinstance(resource, User):
        return resource.account
    owner = getattr(resource, "account", None)
    return owner if isinstance(owner, Account) else None


def check_may_tag(call: Call, resource: Resource, refusal: str) -> None:
    """Owners and those above them may tag; domains are tagged by their admins."""
    owner = owner_of(resource)
    if owner is not None:
        check_owner(call.account, owner)
    elif isinstance(resource, Domain) and not call.account.is_normal:
        check_domain(call.account, resource)
    elif not call.is_root_admin:
        raise PermissionDenied(refusal)


@family.command("createTags")
def create_tags(call: Call) -> Answer:
    resource_type, tags = resource_type_of(call["resourcetype"]), call.map("tags")
    if resource_type not in TAGGABLE:
        raise InvalidParameterValue(f"The resource type {resource_type} doesn't support resource tags")
    resources = [resource_of(call, resource_type, id) for id in call["resourceids"]]
    for key, value in tags.items():
        for resource in resources:
            check_may_tag(
                call,
                resource,
                f"Account '{call.account.name}' doesn't have permissions to create tags for resource [id: "
                f"{resource.number}, uuid: {resource.id}] ({key}).",
            )
            if not value:
                raise InvalidParameterValue(f"Value for the key {key} is either null or empty")
            # The database compares keys without regard to case.
            if key.lower() in {known.lower() for known in resource.tags}:
                raise InternalError(f"tag {key} already on {resource_type} with id {resource.id}")
    for resource in resources:
        resource.tags.update(tags)
    return Success()


@family.command("deleteTags")
def delete_tags(call: Call) -> Answer:
    resource_type, wanted = resource_type_of(call["resourcetype"]), call.map("tags")
    found = []
    for id in call["resourceids"]:
        resource = resource_of(call, resource_type, id)
        found += [(resource, key) for key, value in resource.tags.items() if _matches(wanted, key, value)]
    if not found:
        raise InternalError("Failed to delete tags", cs_code=9999)
    for resource, _ in found:
        check_may_tag(call, resource, f"Account {call.account.name} doesn't have permissions to delete tags")
    for resource, key in found:
        del resource.tags[key]
    return Success()


def _matches(wanted: dict[str, str], key: str, value: str) -> bool:
    """True where a tag is to be deleted: all are without ``wanted``; a key without a value means any value."""
    return not wanted or any(
        key.lower() == name.lower() and (not text or text.lower() == value.lower()) for name, text in wanted.items()
    )


def _tagged(cloud: Cloud, kinds: Iterable[type[Resource]]) -> list[Resource]:
    return [row for kind in kinds for row in cloud.store.table(kind) if row.tags]


@family.command("listTags")
def list_tags(call: Call) -> Answer:
    resource_type = resource_type_of(call["resourcetype"]) if "resourcetype" in call else None
    if resource_type == "Project" and "projectid" not in call and "resourceid" in call:
        # The tags of a project are its own account's.
        id, projects = call["resourceid"], call.cloud.store.table(Project)
        call.params["projectid"] = projects.by_number(int(id)) if id.isdecimal() else projects.get(id)
    scope, keyword = scoping(call, by_id=False), call.get("keyword", "").lower()
    kinds = [
        kind
        for kind in call.cloud.registry.views
        if kind.resource_type in TAGGABLE and resource_type in (None, kind.resource_type)
    ]
    rows: list[Any] = []
    for resource in _tagged(call.cloud, kinds):
        owner = owner_of(resource)
        if (owner is None and not call.is_root_admin) or (owner is not None and not scope.admits(owner)):
            continue
        if call.get("resourceid", resource.id) not in (resource.id, str(resource.number)):
            continue
        rows += [
            row
            for row in tag_fields(resource)
            if row["key"].lower() == call.get("key", row["key"]).lower()
            and row["value"].lower() == call.get("value", row["value"]).lower()
            and (keyword in row["key"].lower() or keyword in row["value"].lower())
        ]
    return page(call, rows)
