"""Tags on any resource (TaggedResourceManagerImpl)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_owner, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import Account, Domain, Project
from cs_matrix_pytest.simulator.models.networks import AclRule, SecurityGroupRule
from cs_matrix_pytest.simulator.models.tags import TagCustomer
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import full_tags

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
OTHERWISE_CALLED = {"Storage": "PrimaryStorage"}
"""Resource types that are called otherwise where events and annotations name them."""


def resource_type_of(text: str) -> str:
    """A resource type's proper name."""
    found = RESOURCE_TYPES.get(text.lower())
    if found is None:
        raise InvalidParameterValue(f"Invalid resource type {text}")
    return found


def kinds_of(cloud: Cloud, resource_type: str) -> list[type[Resource]]:
    """The classes that a resource type means."""
    wanted = OTHERWISE_CALLED.get(resource_type, resource_type)
    return [kind for kind in cloud.registry.views if kind.resource_type == wanted]


def resource_of(call: Call, resource_type: str, id: str) -> Resource:
    """The live resource of a type that a uuid or an internal number names."""
    for kind in kinds_of(call.cloud, resource_type):
        table = call.cloud.store.table(kind)
        found = table.by_number(int(id)) if id.isdecimal() else table.get(id)
        if found is not None and found in table:
            return found
    kind_of_id = "id" if id.isdecimal() else "uuid"
    raise InvalidParameterValue(f"Unable to find resource by {kind_of_id} {id} and type {resource_type}")


def owner_of(resource: Resource) -> Account | None:
    """Whose a resource is; None for what belongs to nobody."""
    if isinstance(resource, Account):
        return resource
    if isinstance(resource, AclRule):
        return resource.acl.vpc.account if resource.acl.vpc is not None else None
    if isinstance(resource, SecurityGroupRule):
        return resource.group.account
    owner = getattr(resource, "account", None)
    return owner if isinstance(owner, Account) else None


def owner_of_tags(cloud: Cloud, resource: Resource) -> Account:
    """Whose the tags of a resource are (getAccountDomain): of domains the administrator's, as their creator's; of what
    belongs to nobody the system's."""
    return cloud.admin_user.account if isinstance(resource, Domain) else owner_of(resource) or cloud.system_account


@family.command("createTags")
def create_tags(call: Call) -> Answer:
    resource_type, tags = resource_type_of(call["resourcetype"]), call.map("tags")
    if resource_type not in TAGGABLE:
        raise InvalidParameterValue(f"The resource type {resource_type} doesn't support resource tags")
    resources: list[Resource] = []
    for key, value in tags.items():
        for position, id in enumerate(call["resourceids"]):
            if position == len(resources):
                resources.append(resource_of(call, resource_type, id))
            resource = resources[position]
            check_owner(call.account, owner_of_tags(call.cloud, resource))
            if not value:
                raise InvalidParameterValue(f"Value for the key {key} is either null or empty")
            # The database compares keys without regard to case.
            if key.lower() in {known.lower() for known in resource.tags}:
                raise InternalError(f"tag {key} already on {resource_type} with id {resource.id}")
    for resource in resources:
        resource.tags.update(tags)
        if "customer" in call:
            for key in tags:
                call.cloud.store.add(TagCustomer(resource=resource, key=key, customer=call["customer"]))
    return Success()


@family.command("deleteTags")
def delete_tags(call: Call) -> Answer:
    resource_type, wanted = resource_type_of(call["resourcetype"]), call.entries("tags")
    found = []
    for id in call["resourceids"]:
        try:
            resource = resource_of(call, resource_type, id)
        except InvalidParameterValue:
            # Tags are looked for by what the request calls the resource: of what is not there, there are none.
            continue
        found += [(resource, key) for key, value in resource.tags.items() if _matches(wanted, key, value)]
    if not found:
        raise InternalError("Failed to delete tags", cs_code=9999)
    for resource, _ in found:
        check_owner(call.account, owner_of_tags(call.cloud, resource))
    for resource, key in found:
        del resource.tags[key]
        for customer in call.cloud.store.table(TagCustomer).where(resource=resource, key=key):
            call.cloud.store.remove(customer)
    return Success()


def _matches(wanted: list[dict[str, str]], key: str, value: str) -> bool:
    """True where a tag is to be deleted: all are without ``wanted``; a key without a value means any value."""
    return not wanted or any(
        key.lower() == tag.get("key", "").lower() and tag.get("value", value).lower() == value.lower() for tag in wanted
    )


def _tagged(cloud: Cloud, kinds: Iterable[type[Resource]]) -> list[Resource]:
    return [row for kind in kinds for row in cloud.store.table(kind) if row.tags]


@family.command("listTags")
def list_tags(call: Call) -> Answer:
    resource_type = call.get("resourcetype", "").lower()
    if resource_type == "project" and "projectid" not in call and call.get("resourceid"):
        # The tags of a project are its own account's.
        id, projects = call["resourceid"], call.cloud.store.table(Project)
        call.params["projectid"] = projects.by_number(int(id)) if id.isdecimal() else projects.get(id)
    scope = scoping(call, by_id=False)
    kinds = [
        kind
        for kind in call.cloud.registry.views
        if kind.resource_type in TAGGABLE and resource_type in ("", kind.resource_type.lower())
    ]
    rows: list[Any] = []
    for resource in _tagged(call.cloud, kinds):
        owner = owner_of_tags(call.cloud, resource)
        named = call.get("resourceid", resource.id) in (resource.id, str(resource.number))
        if scope.admits(owner) and named:
            rows += [row for row in _rows(call.cloud, resource, owner) if _as_asked(call, row)]
    return page(call, sorted(rows, key=lambda row: row["resourcetype"], reverse=True))


def _rows(cloud: Cloud, resource: Resource, owner: Account) -> list[dict[str, Any]]:
    customers = {row.key: row.customer for row in cloud.store.table(TagCustomer).where(resource=resource)}
    return [
        row | ({"customer": customers[row["key"]]} if row["key"] in customers else {})
        for row in full_tags(resource, owner)
    ]


def _as_asked(call: Call, row: dict[str, Any]) -> bool:
    """True where a tag has the key, the value and the customer that a list asks for, in whatever case."""
    return all(
        str(row.get(name, "")).lower() == call[name].lower() for name in ("key", "value", "customer") if name in call
    )
