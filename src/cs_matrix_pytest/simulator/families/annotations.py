"""Annotations: comments of operators and users on resources (AnnotationManagerImpl)."""

from __future__ import annotations

from typing import Any

from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, ParameterError, PermissionDenied
from cs_matrix_pytest.simulator.families.tags import kinds_of
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.annotations import Annotation
from cs_matrix_pytest.simulator.models.iam import AccountType
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import when

family = Family("annotations")

USER_TYPES = {
    "VM": "UserVm",
    "VOLUME": "Volume",
    "SNAPSHOT": "Snapshot",
    "VM_SNAPSHOT": "VMSnapshot",
    "INSTANCE_GROUP": "InstanceGroup",
    "SSH_KEYPAIR": "SSHKeyPair",
    "USER_DATA": "UserData",
    "NETWORK": "Network",
    "VPC": "Vpc",
    "PUBLIC_IP_ADDRESS": "PublicIpAddress",
    "VPN_CUSTOMER_GATEWAY": "CustomerGateway",
    "TEMPLATE": "Template",
    "ISO": "ISO",
    "KUBERNETES_CLUSTER": "KubernetesCluster",
    "AUTOSCALE_VM_GROUP": "AutoScaleVmGroup",
}
"""What users may annotate: resource type by entity type."""

ENTITY_TYPES = USER_TYPES | {
    "SERVICE_OFFERING": "ServiceOffering",
    "DISK_OFFERING": "DiskOffering",
    "NETWORK_OFFERING": "NetworkOffering",
    "ZONE": "Zone",
    "POD": "Pod",
    "CLUSTER": "Cluster",
    "HOST": "Host",
    "DOMAIN": "Domain",
    "PRIMARY_STORAGE": "PrimaryStorage",
    "SECONDARY_STORAGE": "SecondaryStorage",
    "VR": "DomainRouter",
    "SYSTEM_VM": "SystemVm",
    "MANAGEMENT_SERVER": "ManagementServer",
    "OBJECT_STORAGE": "ObjectStore",
}

DOMAIN_ADMIN_TYPES = {"DISK_OFFERING", "DOMAIN", "SERVICE_OFFERING"}
"""What domain admins may annotate besides."""

HIDDEN = "Internal error executing command, please contact your system administrator"
"""What those who are no root admins read of an internal error."""


def has_annotations(resource: Resource, call: Call) -> bool:
    """True where the resource has an annotation that the caller may see."""
    annotations = call.cloud.store.table(Annotation).where(entity_id=resource.id)
    return any(call.is_root_admin or not row.admins_only for row in annotations)


@family.view(Annotation)
def annotation_view(annotation: Annotation, _call: Call) -> dict[str, Any]:
    return {
        "id": annotation.id,
        "entitytype": annotation.entity_type,
        "entityid": annotation.entity_id,
        "entityname": annotation.entity_name,
        "annotation": annotation.text,
        "userid": annotation.user.id,
        "username": annotation.user.username,
        "adminsonly": annotation.admins_only,
        "created": when(annotation.created),
        "removed": when(annotation.removed),
    }


def _denied(call: Call, text: str) -> InternalError:
    return InternalError(text if call.is_root_admin else HIDDEN)


def _entity_type(call: Call) -> str:
    name = str(call["entitytype"]).upper()
    if name not in ENTITY_TYPES:
        raise InternalError(f"'{call['entitytype']}' is not a valid EntityType to put annotations on", cs_code=9999)
    return name


@family.command("addAnnotation")
def add_annotation(call: Call) -> Answer:
    entity_type, entity_id = _entity_type(call), call["entityid"]
    if not call.is_root_admin and entity_type not in _allowed(call):
        raise _denied(
            call, f"User: {call.caller.user.username} is not allowed to add annotations on type: {entity_type}"
        )
    entity = _entity(call, entity_type, entity_id)
    if entity is None and not call.is_root_admin:
        raise _denied(call, f"Could not find an entity with type: {entity_type} and ID: {entity_id}")
    # Root admins may annotate what there is not.
    return keep(call, entity_type, entity_id, entity, call["annotation"], admins_only=call.flag("adminsonly"))


def add_to(call: Call, entity_type: str, entity: Any, text: str, *, admins_only: bool) -> Annotation:
    """Annotate a resource in the caller's name."""
    return keep(call, entity_type, entity.id, entity, text, admins_only=admins_only)


def keep(call: Call, entity_type: str, entity_id: str, entity: Any, text: str, *, admins_only: bool) -> Annotation:
    """Keep an annotation of the caller's; ``entity`` may be None, and then its name is not known."""
    name = getattr(entity, "instance_name", None) or getattr(entity, "name", None) or getattr(entity, "id", None)
    return call.cloud.store.add(
        Annotation(
            text=text,
            user=call.caller.user,
            entity_type=entity_type,
            entity_id=entity_id,
            entity_name=name,
            admins_only=admins_only,
        )
    )


def _entity(call: Call, entity_type: str, entity_id: str) -> Any:
    for kind in kinds_of(call.cloud, ENTITY_TYPES[entity_type]):
        found: Any = call.cloud.store.table(kind).get(entity_id)
        if found is not None:
            return found
    return None


def _annotation(call: Call) -> Annotation | None:
    return call.cloud.store.table(Annotation).get(call["id"])


@family.command("removeAnnotation")
def remove_annotation(call: Call) -> Answer:
    annotation = _annotation(call)
    if annotation is None:
        # The server trips over it while it words its refusal.
        text = (
            'Cannot invoke "org.apache.cloudstack.annotation.AnnotationVO.getEntityType()" because "annotation" is null'
        )
        raise ApiError(text if call.is_root_admin else HIDDEN)
    if not (call.is_root_admin or annotation.user is call.caller.user):
        raise _denied(
            call,
            "Only administrators or entity owner users can delete annotations, cannot remove annotation with uuid: "
            f"{call['id']} - type: {annotation.entity_type} ",
        )
    call.cloud.store.remove(annotation)
    shown = {key: value for key, value in annotation_view(annotation, call).items() if key != "removed"}
    return {"annotation": {key: value for key, value in shown.items() if value is not None}}


@family.command("updateAnnotationVisibility")
def update_annotation_visibility(call: Call) -> Answer:
    annotation = _annotation(call)
    if annotation is None or not call.is_root_admin:
        reason = (
            f"Annotation id:{call['id']} does not exist" if annotation is None else f"Type: {annotation.entity_type}"
        )
        raise _denied(
            call,
            "Only admins can update annotations' visibility. Cannot update visibility for annotation with id: "
            f"{call['id']} - {reason}",
        )
    annotation.admins_only = call["adminsonly"]
    return annotation


@family.command("listAnnotations")
def list_annotations(call: Call) -> Answer:
    id, entity_type, entity_id = call.get("id"), call.get("entitytype"), call.get("entityid")
    if id and entity_type:
        raise ParameterError("I can search for an annotation on an entity or for a specific annotation, not both")
    if id and entity_id is not None:
        raise ParameterError("I will either search for a specific annotation or for annotations on an entity, not both")
    if id is not None:
        return page(call, _single(call, id))
    if entity_id and not entity_type:
        found = call.cloud.store.table(Annotation).first(entity_id=entity_id)
        entity_type = found.entity_type if found else "none"
    keyword, user = call.get("keyword", "").lower(), call.get("userid") or (call.caller.user.id if _own(call) else None)
    rows = [
        row
        for row in call.cloud.store.table(Annotation)
        if not _went(call, row)
        and entity_type in (None, "", row.entity_type)
        and row.entity_id == (entity_id or row.entity_id)
        and row.user.id == (user or row.user.id)
        and keyword in row.text.lower()
        and (call.is_root_admin or not row.admins_only)
    ]
    if not call.is_root_admin:
        if entity_id and entity_type != "none":
            _may_see(call, str(entity_type), entity_id)
        else:
            rows = [row for row in rows if _may_see(call, row.entity_type, row.entity_id)]
    # The newest first, to the second.
    return page(call, sorted(rows, key=lambda row: row.created.replace(microsecond=0), reverse=True))


def _went(call: Call, annotation: Annotation) -> bool:
    """True where an annotation went with what it was on."""
    named = annotation.entity_name is not None
    return named and _entity(call, annotation.entity_type, annotation.entity_id) is None


def _own(call: Call) -> bool:
    return str(call.get("annotationfilter", "all")).lower() == "self"


def _single(call: Call, id: str) -> list[Annotation]:
    """The annotation of an id, for those who name its user as well; root admins see those for admins only, others the
    others (getSingleAnnotationListByUuid)."""
    row = call.cloud.store.table(Annotation).get(id)
    if row is None or row.user.id != call.get("userid") or row.admins_only != call.is_root_admin:
        return []
    known = _own(call) or str(call.get("annotationfilter", "all")).lower() == "all"
    return [row] if known and (not _own(call) or row.user is call.caller.user) else []


def _may_see(call: Call, entity_type: str, entity_id: str) -> bool:
    """True where a user may use what is annotated (isEntityOwnedByTheUser). Raises where it is gone."""
    if entity_type not in _allowed(call):
        return False
    if entity_type in DOMAIN_ADMIN_TYPES - {"DOMAIN"}:
        return True
    entity = _entity(call, entity_type, entity_id)
    if entity is None:
        raise _denied(call, f"Could not find an entity with type: {entity_type} and ID: {entity_id}")
    try:
        check_access(call.cloud, call.account, entity)
    except PermissionDenied:
        return False
    return True


def _allowed(call: Call) -> set[str]:
    """The entity types that a caller who is no root admin may annotate."""
    more = DOMAIN_ADMIN_TYPES if call.account.type == AccountType.DOMAIN_ADMIN else set()
    return set(USER_TYPES) | more
