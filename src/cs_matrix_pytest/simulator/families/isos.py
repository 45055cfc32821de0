"""ISO images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_access, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.families.images import (
    DOWNLOADED_SIZE,
    add_copies,
    check_known,
    check_new_image,
    copies_in,
    extracted,
    for_all_zones,
    image_fields,
    listed,
    permission_fields,
    remove_copies,
    shown,
    update_image,
    update_permissions,
    updated_fields,
    users_of,
    zones_of,
)
from cs_matrix_pytest.simulator.families.os_types import NO_OS, os_type_named
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.images import ImageCopy, Iso, OsType, Template
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("isos")

MISSING = "Unable to find Template/ISO with specified id"


@family.on_fresh_install
def default_isos(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    for row in fresh["lists"]["listIsos"]["iso"]:
        cloud.store.add(
            Iso(
                account=cloud.system_account,
                name=row["name"],
                display_text=row["displaytext"],
                os_type=os_type_named(cloud, row["ostypename"]),
                is_public=row["ispublic"],
                is_featured=row["isfeatured"],
                bootable=row["bootable"],
                template_type="PERHOST",
                size=0,
            )
        )


@family.view(Iso)
def iso_view(iso: Iso, call: Call) -> dict[str, Any]:
    """An ISO where it came to first."""
    return iso_fields(iso, iso.copies[0] if iso.copies else None, call)


def iso_fields(iso: Template, copy: ImageCopy | None, call: Call) -> dict[str, Any]:
    return {
        **image_fields(iso, copy, call),
        "isready": iso.template_type == "PERHOST" or (copy is not None and copy.is_ready),
        "isextractable": iso.is_extractable and iso.template_type != "PERHOST",
        "bootable": iso.bootable,
        "bits": iso.bits,
    }


@family.command("listIsos")
def list_isos(call: Call) -> Answer:
    return listed(call, Iso, call.get("isofilter", "selfexecutable"), iso_fields)


@family.command("registerIso")
def register_iso(call: Call) -> Answer:
    owner = owner_of_new(call)
    check_access(call.cloud, call.account, owner)
    call.cloud.limits.check(owner, "template", 1)
    call.cloud.limits.check(owner, "secondary_storage", DOWNLOADED_SIZE)
    os_type = checked_os_type(call)
    check_new_image(call, owner, "ISO")
    iso = new_iso(call, owner, os_type, copies_in(call, zones_of(call), direct=call.flag("directdownload")))
    iso.size = iso.physical_size = DOWNLOADED_SIZE
    rows = [shown(call, iso_fields(iso, copy, call)) for copy in iso.copies or [None]]  # type: ignore[list-item]
    return Listing(rows, len(rows))


def checked_os_type(call: Call) -> OsType:
    """The OS type of a new ISO. Raises InvalidParameterValue for a bootable one without."""
    os_type = call.maybe(OsType, "ostypeid")
    if not call.flag("bootable", True):
        return os_type_named(call.cloud, NO_OS)
    if os_type is None or os_type.name == NO_OS:
        raise InvalidParameterValue("Please pass a valid GuestOS ID")
    return os_type


def new_iso(call: Call, owner: Account, os_type: OsType, copies: list[ImageCopy]) -> Iso:
    """An ISO as the parameters of its registration say, with nothing in it yet."""
    return call.cloud.store.add(
        Iso(
            account=owner,
            name=call["name"],
            display_text=call.get("displaytext") or call["name"],
            os_type=os_type,
            copies=copies,
            cross_zones=for_all_zones(call),
            is_public=call.flag("ispublic"),
            is_featured=call.flag("isfeatured") and owner.is_root_admin,
            is_extractable=call.flag("isextractable"),
            bootable=call.flag("bootable", True),
            password_enabled=call.flag("passwordenabled"),
            dynamically_scalable=call.flag("isdynamicallyscalable"),
            size=0,
            url=call.get("url"),
            checksum=call.get("checksum"),
            arch=call.get("arch", "x86_64"),
            direct_download=call.flag("directdownload"),
        )
    )


def _iso(call: Call, refusal: str = "Please specify a valid ISO.", missing: str = MISSING) -> Iso:
    image = call.one(Template, missing=missing)
    if not isinstance(image, Iso):
        raise InvalidParameterValue(refusal)
    return image


@family.command("updateIso")
def update_iso(call: Call) -> Answer:
    check_known(call)
    iso = _iso(call)
    update_image(call, iso)
    return {"iso": shown(call, updated_fields(iso, call))}


@family.command("copyIso")
def copy_iso(call: Call) -> Answer:
    iso = _iso(call, missing="Unable to find Template with id")
    add_copies(call, iso)
    targets = call.many(Zone, "destzoneids") or [call.one(Zone, "destzoneid")]
    return {"iso": shown(call, iso_fields(iso, iso.copy_in(targets[0]), call))}


@family.command("deleteIso")
def delete_iso(call: Call) -> Answer:
    iso = _iso(call, missing="Unable to find ISO with id {}")
    check_access(call.cloud, call.account, iso, "OperateEntry")
    if any(vm.iso is iso for vm in users_of(call, iso)):
        raise InvalidParameterValue("Unable to delete ISO, as it's used by other instances")
    remove_copies(call, iso)
    return Success()


@family.command("extractIso")
def extract_iso(call: Call) -> Answer:
    return {
        "iso": extracted(
            call, _iso(call, "Unsupported format, could not extract the ISO", "Unable to find ISO with id {}"), "ISO"
        )
    }


@family.command("updateIsoPermissions")
def update_iso_permissions(call: Call) -> Answer:
    update_permissions(call, _iso(call, "Please provide a valid ISO", "unable to find  with id {}"), "iso")
    return Success()


@family.command("listIsoPermissions")
def list_iso_permissions(call: Call) -> Answer:
    return {
        "isopermission": permission_fields(
            call, _iso(call, "Please provide a valid ISO", "unable to find iso with id {}")
        )
    }
