"""Icons of resources (ResourceIconManagerImpl)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from cs_matrix_pytest.simulator.access import check_owner
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.tags import kinds_of, owner_of, resource_of, resource_type_of
from cs_matrix_pytest.simulator.models.iam import Project
from cs_matrix_pytest.simulator.models.images import OsCategory, Template
from cs_matrix_pytest.simulator.models.resource_icons import ResourceIcon
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource

family = Family("resource icons")

WITH_ICONS = frozenset(
    [
        "UserVm",
        "Template",
        "VnfTemplate",
        "ISO",
        "Network",
        "Project",
        "Account",
        "Vpc",
        "Zone",
        "User",
        "GuestOsCategory",
        "Domain",
        "ObjectStore",
    ]
)
"""What can have an icon (ResourceTag.ResourceObjectType)."""

SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\x00", b"MM\x00*")
"""How the images begin that Java reads: PNG, JPEG, GIF, BMP, TIFF."""


def icon_of(call: Call, resource: Resource) -> ResourceIcon | None:
    """The icon of a resource itself."""
    return call.cloud.store.table(ResourceIcon).first(resource=resource)


def shown_icon(call: Call, resource: Resource) -> ResourceIcon | None:
    """The icon that lists show for a resource: its own, else that of its image, else that of its kind of OS."""
    own = icon_of(call, resource)
    if own is not None:
        return own
    if isinstance(resource, UserVm):
        image = resource.iso or resource.template
        return (icon_of(call, image) if image else None) or _os_icon(call, resource.template)
    return _os_icon(call, resource) if isinstance(resource, Template) else None


def _os_icon(call: Call, image: Template | None) -> ResourceIcon | None:
    return icon_of(call, image.os_type.category) if image else None


def icon_view(icon: ResourceIcon) -> dict[str, Any]:
    return {
        "resourceid": icon.resource_id,
        "resourcetype": icon.resource.resource_type,
        "base64image": icon.image,
    }


@family.on_view
def add_icon(resource: Resource, call: Call) -> dict[str, Any]:
    """The field ``icon`` where a list is asked for it; answers with one OS category always have it."""
    if not call.flag("showicon") and not (isinstance(resource, OsCategory) and not call.command.lists):
        return {}
    icon = shown_icon(call, resource)
    return {"icon": icon_view(icon)} if icon else {}


def _is_image(text: str) -> bool:
    try:
        return base64.b64decode(text, validate=True).startswith(SIGNATURES)
    except (binascii.Error, ValueError):
        return False


def _check_caller(call: Call, resource: Resource) -> None:
    owner = resource.account if isinstance(resource, Project) else owner_of(resource)
    check_owner(call.account, owner or call.cloud.system_account)


@family.command("uploadResourceIcon")
def upload_resource_icon(call: Call) -> Answer:
    try:
        if not _is_image(call["base64image"]):
            raise InvalidParameterValue("Invalid image uploaded")
        resource_type = resource_type_of(call["resourcetype"])
        if resource_type not in WITH_ICONS:
            raise InvalidParameterValue(f"The resource type {resource_type} doesn't support resource icons")
        resources = [_resource(call, resource_type, id) for id in call["resourceids"]]
        for resource in resources:
            _check_caller(call, resource)
    except ApiError as error:
        # Whatever is wrong, the command calls it an internal error.
        raise ApiError(error.text) from None
    for resource in resources:
        icon = icon_of(call, resource) or call.cloud.store.add(ResourceIcon(resource=resource, image=""))
        icon.image = call["base64image"]
    return Success()


def _resource(call: Call, resource_type: str, id: str) -> Resource:
    try:
        return resource_of(call, "Template" if resource_type == "VnfTemplate" else resource_type, id)
    except InvalidParameterValue as error:
        raise InvalidParameterValue(error.text.replace("type Template", f"type {resource_type}")) from None


def _icons(call: Call, *, by_number: bool) -> list[ResourceIcon]:
    """The icons of the resources that a request names, by uuid or also by number."""
    kinds = kinds_of(call.cloud, resource_type_of(call["resourcetype"]))
    icons = call.cloud.store.table(ResourceIcon)
    ids = call["resourceids"]
    return [
        icon
        for icon in icons
        if type(icon.resource) in kinds
        and (icon.resource_id in ids or (by_number and str(icon.resource.number) in ids))
    ]


@family.command("listResourceIcon")
def list_resource_icons(call: Call) -> Answer:
    rows = [icon_view(icon) for icon in _icons(call, by_number=False)]
    return {"count": len(rows), "icon": rows} if rows else {}


@family.command("deleteResourceIcon")
def delete_resource_icon(call: Call) -> Answer:
    try:
        icons = _icons(call, by_number=True)
        if not icons:
            raise ApiError("Failed to delete resource image")
        for icon in icons:
            _check_caller(call, icon.resource)
    except ApiError as error:
        raise ApiError(error.text) from None
    for icon in icons:
        call.cloud.store.remove(icon)
    return Success()
