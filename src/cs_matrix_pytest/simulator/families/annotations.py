"""Annotations: comments of operators and users on resources (AnnotationManagerImpl)."""

from __future__ import annotations

from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError
from cs_matrix_pytest.simulator.families.tags import kinds_of
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.annotations import Annotation
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

DOMAIN_ADMIN_TYPES = {"DOMAIN"}
"""What domain and resource admins may annotate besides."""

HIDDEN = "Internal error executing command, please contact your system administrator"
"""What those who are no root admins read of an internal error."""


def has_annotations(resource: Resource, call: Call) -> bool:
    """True where the resource has an annotation that the caller may see."""
    annotations = call.cloud.store.table(Annotation)
    return len(annotations) > 0 and any(
        row.entity_id == resource.id and (call.is_root_admin or not row.admins_only) for row in annotations
    )


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
    allowed = USER_TYPES if call.account.is_normal else USER_TYPES.keys() | DOMAIN_ADMIN_TYPES
    if not call.is_root_admin and entity_type not in allowed:
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
    mine, keyword = call.get("annotationfilter", "all") == "self", call.get("keyword", "").lower()
    entity_type = _entity_type(call) if call.get("entitytype") else None
    rows = [
        row
        for row in call.cloud.store.table(Annotation)
        if row.id == call.get("id", row.id)
        and row.entity_type == (entity_type or row.entity_type)
        and row.entity_id == call.get("entityid", row.entity_id)
        and row.user.id == call.get("userid", row.user.id)
        and (not mine or row.user is call.caller.user)
        and keyword in row.text.lower()
        and (call.is_root_admin or not row.admins_only or row.user is call.caller.user)
    ]
    return page(call, rows)
