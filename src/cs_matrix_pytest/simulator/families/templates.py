"""Templates: the built-in ones, registering, creating from disks, sharing, listing."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_access, check_owner, named_account, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue, ParameterError, PermissionDenied
from cs_matrix_pytest.simulator.families import volumes
from cs_matrix_pytest.simulator.families.extensions import named_extension
from cs_matrix_pytest.simulator.families.images import (
    DOWNLOADED_SIZE,
    HYPERVISORS,
    Fields,
    add_copies,
    check_known,
    check_new_image,
    copies_in,
    describe_image,
    extracted,
    for_all_zones,
    format_of,
    image_fields,
    listed,
    may_be_public,
    permission_fields,
    remove_copies,
    shown,
    update_image,
    update_permissions,
    updated_fields,
    users_of,
    vnf_fields,
    zones_of,
)
from cs_matrix_pytest.simulator.families.os_types import os_type_named
from cs_matrix_pytest.simulator.models.iam import Account, AccountType
from cs_matrix_pytest.simulator.models.images import ImageCopy, OsType, Template, VnfNic
from cs_matrix_pytest.simulator.models.infra import Cluster, ImageStore, Zone
from cs_matrix_pytest.simulator.models.storage import Snapshot, Volume
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("templates")


@dataclass(frozen=True)
class DefaultTemplate:
    """A row that CloudStack's database has from the start (setup/db/templates.sql, templates.simulator.sql)."""

    hypervisor: str
    name: str
    format: str
    os_type: str
    url: str
    checksum: str
    is_system: bool = False
    is_extractable: bool = True


DOWNLOADS = "http://download.cloudstack.org"
SYSTEM_VMS = f"{DOWNLOADS}/systemvm/4.6/systemvm64template-4.6.0"
DEBIAN = "Debian GNU/Linux 5.0 (64-bit)"

DEFAULT_TEMPLATES = (
    DefaultTemplate(
        "Simulator",
        "SystemVM Template (simulator)",
        "VHD",
        DEBIAN,
        "http://nfs1.lab.vmops.com/templates/routing/debian/latest/systemvm.vhd.bz2",
        "",
        is_system=True,
    ),
    DefaultTemplate(
        "Simulator",
        "CentOS 5.6 (64-bit) no GUI (Simulator)",
        "VHD",
        "CentOS 5.6 (64-bit)",
        "http://nfs1.lab.vmops.com/templates/centos53-x86_64/latest/f59f18fb-ae94-4f97-afd2-f84755767aca.vhd.bz2",
        "",
        is_extractable=False,
    ),
    DefaultTemplate(
        "XenServer",
        "SystemVM Template (XenServer)",
        "VHD",
        DEBIAN,
        f"{SYSTEM_VMS}-xen.vhd.bz2",
        "8886f554a499ec5405b6f203d9d36460",
        is_system=True,
    ),
    DefaultTemplate(
        "XenServer",
        "CentOS 5.6(64-bit) no GUI (XenServer)",
        "VHD",
        "CentOS 5.6 (64-bit)",
        f"{DOWNLOADS}/templates/builtin/centos56-x86_64.vhd.bz2",
        "905cec879afd9c9d22ecc8036131a180",
    ),
    DefaultTemplate(
        "KVM",
        "SystemVM Template (KVM)",
        "QCOW2",
        DEBIAN,
        f"{SYSTEM_VMS}-kvm.qcow2.bz2",
        "c059b0d051e0cd6fbe9d5d4fc40c7e5d",
        is_system=True,
    ),
    DefaultTemplate(
        "KVM",
        "CentOS 5.5(64-bit) no GUI (KVM)",
        "QCOW2",
        "CentOS 5.5 (64-bit)",
        f"{DOWNLOADS}/releases/2.2.0/eec2209b-9875-3c8d-92be-c001bd8a0faf.qcow2.bz2",
        "ed0e788280ff2912ea40f7f91ca7a249",
    ),
    DefaultTemplate(
        "VMware",
        "SystemVM Template (vSphere)",
        "OVA",
        DEBIAN,
        f"{SYSTEM_VMS}-vmware.ova",
        "4b415224fe00b258f66cad9fce9f73fc",
        is_system=True,
    ),
    DefaultTemplate(
        "VMware",
        "CentOS 5.3(64-bit) no GUI (vSphere)",
        "OVA",
        "CentOS 5.3 (64-bit)",
        f"{DOWNLOADS}/releases/2.2.0/CentOS5.3-x86_64.ova",
        "f6f881b7f2292948d8494db837fe0f47",
    ),
    DefaultTemplate(
        "Hyperv",
        "SystemVM Template (HyperV)",
        "VHD",
        DEBIAN,
        f"{SYSTEM_VMS}-hyperv.vhd.zip",
        "53e24bddfa56ea3139ed37af4b519013",
        is_system=True,
    ),
    DefaultTemplate(
        "Hyperv",
        "CentOS 6.4(64-bit) GUI (Hyperv)",
        "VHD",
        "CentOS 6.4 (64-bit)",
        f"{DOWNLOADS}/releases/4.3/centos6_4_64bit.vhd.bz2",
        "eef6b9940ea3ed01221d963d4a012d0a",
    ),
    DefaultTemplate(
        "LXC",
        "SystemVM Template (LXC)",
        "QCOW2",
        DEBIAN,
        f"{SYSTEM_VMS}-kvm.qcow2.bz2",
        "c059b0d051e0cd6fbe9d5d4fc40c7e5d",
        is_system=True,
    ),
    DefaultTemplate(
        "LXC",
        "CentOS 7(64-bit) no GUI (LXC)",
        "TAR",
        "CentOS 7",
        f"{DOWNLOADS}/templates/builtin/centos-7-x86_64.tar.gz",
        "c2c4fa2d0978121c7977db571f132d6e",
    ),
    DefaultTemplate(
        "Ovm3",
        "SystemVM Template (Ovm3)",
        "RAW",
        DEBIAN,
        f"{SYSTEM_VMS}-ovm.raw.bz2",
        "c8577d27b2daafb2d9a4ed307ce2f00f",
        is_system=True,
    ),
)


@family.on_fresh_install
def default_templates(cloud: Cloud, _fresh: Mapping[str, Any]) -> None:
    for row in DEFAULT_TEMPLATES:
        cloud.store.add(
            Template(
                account=cloud.system_account,
                name=row.name,
                display_text=row.name,
                format=row.format,
                hypervisor=row.hypervisor,
                os_type=os_type_named(cloud, row.os_type),
                cross_zones=True,
                is_public=not row.is_system,
                is_featured=not row.is_system,
                is_extractable=row.is_extractable and not row.is_system,
                requires_hvm=False,
                bits=0,
                template_type="SYSTEM" if row.is_system else "BUILTIN",
                physical_size=2 * 1024**3,
                url=row.url,
                checksum=row.checksum,
            )
        )


def install_builtin_templates(cloud: Cloud, zone: Zone) -> None:
    """Put the system and built-in templates of a zone's hypervisors into its secondary storage.

    Called whenever a zone gets a cluster, a host or an image store; what is there already stays.
    """
    store = cloud.store.table(ImageStore).first(zone=zone)
    if store is None:
        return
    hypervisors = {cluster.hypervisor for cluster in cloud.store.table(Cluster) if cluster.zone is zone}
    for template in cloud.store.table(Template):
        if (
            template.template_type in ("SYSTEM", "BUILTIN")
            and template.hypervisor in hypervisors
            and template.copy_in(zone) is None
        ):
            template.copies.append(ImageCopy(zone=zone, store=store, created=cloud.clock.datetime()))


def system_template(cloud: Cloud, zone: Zone, hypervisor: str) -> Template | None:
    """What a zone's system VMs on a hypervisor are made from."""
    return cloud.store.table(Template).first(
        lambda row: row.ready_in(zone), template_type="SYSTEM", hypervisor=hypervisor
    )


TEMPLATE_TYPES = ("ROUTING", "SYSTEM", "BUILTIN", "PERHOST", "USER", "VNF", "DATADISK", "ISODISK")
LONGEST_NAME = 255
FROM_DISK = "Failed to create private Template record, "


@family.view(Template)
def template_view(template: Template, call: Call) -> dict[str, Any]:
    """A template where it came to first."""
    return template_fields(template, template.copies[0] if template.copies else None, call)


def template_fields(template: Template, copy: ImageCopy | None, call: Call) -> dict[str, Any]:
    source = template.source_template
    return {
        **image_fields(template, copy, call),
        "isready": copy is not None and copy.is_ready,
        "isextractable": template.is_extractable and template.template_type != "SYSTEM",
        "sshkeyenabled": template.sshkey_enabled,
        "templatetype": template.template_type,
        "templatetag": template.template_tag,
        "hypervisor": template.hypervisor,
        "sourcetemplateid": source.id if source else None,
        "details": template.details,
        "bits": 0,
        "deployasis": template.deploy_as_is,
        "forcks": template.for_cks,
        "requireshvm": template.requires_hvm,
        "childtemplates": [] if template.hypervisor == "VMware" else None,
        "extensionid": template.extension.id if template.extension else None,
        "extensionname": getattr(template.extension, "name", None),
        **vnf_fields(template),
    }


VIEW_DETAILS = ("all", "resource", "min")


@family.command("listTemplates")
def list_templates(call: Call) -> Answer:
    return listed(call, Template, call["templatefilter"], fields_by_details(call))


def fields_by_details(call: Call) -> Fields:
    """What a list of templates shows: their details only where ``details`` is not for less."""
    wanted = call.get("details") or ["all"]
    if any(name not in VIEW_DETAILS for name in wanted):
        raise InvalidParameterValue(
            f"The details parameter contains a non permitted value. The allowed values are [{', '.join(VIEW_DETAILS)}]"
        )
    if "all" in wanted:
        return template_fields
    return lambda template, copy, call: {**template_fields(template, copy, call), "details": None}


def _per_zone(call: Call, template: Template) -> Listing:
    rows = [shown(call, template_fields(template, copy, call)) for copy in template.copies or [None]]  # type: ignore[list-item]
    return Listing(rows, len(rows))


@family.command("registerTemplate")
def register_template(call: Call) -> Answer:
    check_registration(call)
    return register(call)


def register(call: Call, *, vnf_nics: Sequence[VnfNic] = (), vnf_details: Mapping[str, str] | None = None) -> Listing:
    """Make the template that a checked request describes; it is downloaded at once."""
    if "templatetag" in call and not call.is_root_admin:
        raise PermissionDenied("Parameter templatetag can only be specified by a Root Admin, permission denied")
    if "isrouting" in call and not call.is_root_admin:
        raise PermissionDenied("Parameter isrouting can only be specified by a Root Admin, permission denied")
    owner = owner_of_new(call)
    call.cloud.limits.check(owner, "template", 1)
    call.cloud.limits.check(owner, "secondary_storage", DOWNLOADED_SIZE)
    hypervisor = hypervisor_named(call["hypervisor"])
    template_type = template_type_of(call, "register Template with", for_all_zones(call)) or "USER"
    format = format_of(call["format"])
    check_new_image(call, owner, format)
    copies = copies_in(call, zones_of(call), direct=call.flag("directdownload"))
    template = new_template(call, owner, hypervisor, format, template_type, copies)
    template.size = template.physical_size = DOWNLOADED_SIZE
    template.vnf_nics, template.vnf_details = list(vnf_nics), dict(vnf_details or {})
    return _per_zone(call, template)


def new_template(
    call: Call, owner: Account, hypervisor: str, format: str, template_type: str, copies: list[ImageCopy]
) -> Template:
    """A template as the parameters of its registration say, with nothing in it yet."""
    os_type = call.maybe(OsType, "ostypeid") or os_type_named(call.cloud, "Other (64-bit)")
    return call.cloud.store.add(
        Template(
            account=owner,
            name=call["name"],
            display_text=call.get("displaytext") or call["name"],
            format=format,
            hypervisor=hypervisor,
            os_type=os_type,
            copies=copies,
            cross_zones=for_all_zones(call),
            is_public=call.flag("ispublic"),
            is_featured=call.flag("isfeatured") and owner.is_root_admin,
            is_extractable=call.flag("isextractable"),
            password_enabled=call.flag("passwordenabled"),
            sshkey_enabled=call.flag("sshkeyenabled"),
            dynamically_scalable=call.flag("isdynamicallyscalable"),
            requires_hvm=call.flag("requireshvm", True),
            bits=call.get("bits", 64),
            template_type=template_type,
            template_tag=call.get("templatetag"),
            size=0,
            url=call.get("url"),
            checksum=call.get("checksum"),
            arch=call.get("arch", "x86_64"),
            direct_download=call.flag("directdownload"),
            deploy_as_is=call.flag("deployasis") and hypervisor == "VMware",
            for_cks=call.flag("forcks"),
            details=call.map("details") | call.map("externaldetails"),
            extension=named_extension(call),
        )
    )


def check_registration(call: Call) -> None:
    """Raise ParameterError for zones, hypervisor and OS that do not go together."""
    if "zoneid" in call and call.get("zoneids"):
        raise ParameterError("Both zoneid and zoneids cannot be specified at the same time")
    if "zoneid" not in call and not call.get("zoneids"):
        raise ParameterError("Either zoneid or zoneids is required. Both cannot be null.")
    if len(call.get("zoneids", ())) > 1 and for_all_zones(call):
        raise ParameterError("Parameter zoneids cannot combine all zones (-1) option with other zones")
    if call.flag("directdownload") and call["hypervisor"].lower() not in ("kvm", "custom"):
        raise ParameterError("Parameter directdownload is only allowed for KVM or Custom Templates")
    if not (call.flag("deployasis") and call["hypervisor"].lower() == "vmware") and "ostypeid" not in call:
        raise ParameterError("Please provide a guest OS type")


def hypervisor_named(text: str) -> str:
    """A hypervisor's proper name."""
    for name in HYPERVISORS:
        if name.lower() == text.lower():
            return name
    raise InvalidParameterValue(
        f"Hypervisor Type: {text} is invalid. Supported Hypervisor types are: {', '.join(HYPERVISORS)}"
    )


def template_type_of(call: Call, action: str, cross_zones: bool) -> str | None:
    """The template type that a command gives; only admins may give others than USER and VNF."""
    given, routing = call.get("templatetype"), call.get("isrouting")
    kind = given.upper() if given else ("ROUTING" if routing else None)
    if kind is not None and kind not in TEMPLATE_TYPES:
        raise InvalidParameterValue(f"Please specify a valid templatetype: {','.join(TEMPLATE_TYPES)}")
    if given and routing is not None and (kind == "ROUTING") is not routing:
        raise InvalidParameterValue("Please specify a valid templatetype (consistent with isrouting parameter).")
    if kind in ("SYSTEM", "BUILTIN") and not cross_zones:
        raise InvalidParameterValue("System and Builtin templates must be cross zone.")
    if kind not in (None, "USER", "VNF") and call.account.type == AccountType.NORMAL:
        raise InvalidParameterValue(f"Users can not {action} template type {kind}.")
    return kind


@family.command("createTemplate")
def create_template(call: Call) -> Generator[Template, None, Answer]:
    owner = _owner_of_created(call)
    check_owner(call.account, owner)
    if not call["name"].strip() or len(call["name"]) > LONGEST_NAME:
        raise InvalidParameterValue(f"Template name cannot be null and cannot be more {LONGEST_NAME} characters")
    if "templatetag" in call and not call.is_root_admin:
        raise PermissionDenied("Parameter templatetag can only be specified by a Root Admin, permission denied")
    is_admin = not call.account.is_normal
    if call.flag("ispublic") and not is_admin and not may_be_public(call, owner):
        raise PermissionDenied(f"Failed to create Template {call['name']}, only private Templates can be created.")
    volume, snapshot = _disk_of(call)
    zone = call.maybe(Zone, "zoneid") or (snapshot.zone if snapshot else volume.zone)
    if "zoneid" in call and zone.is_edge:
        raise InvalidParameterValue(
            "Failed to create private template record, Edge zones do not support template creation from snapshots"
        )
    call.cloud.limits.check(owner, "template", 1)
    call.cloud.limits.check(owner, "secondary_storage", volume.size)
    source = volume.template
    template = call.cloud.store.add(
        Template(
            account=owner,
            name=call["name"],
            display_text=call.get("displaytext") or call["name"],
            format="RAW",
            hypervisor=_hypervisor_of(call, volume),
            os_type=call.one(OsType, "ostypeid"),
            is_public=call.flag("ispublic"),
            is_featured=call.flag("isfeatured") and is_admin,
            is_extractable=source is not None and source.is_extractable and source.template_type != "SYSTEM",
            password_enabled=call.flag("passwordenabled"),
            sshkey_enabled=call.flag("sshkeyenabled"),
            dynamically_scalable=call.flag("isdynamicallyscalable"),
            requires_hvm=call.flag("requireshvm", True),
            template_tag=call.get("templatetag"),
            size=volume.size,
            arch=source.arch if source else call.get("arch", "x86_64"),
            source_template=source,
            source_volume=volume,
            source_snapshot=snapshot,
            details={
                **(source.details if source else {}),
                **(volume.vm.details if volume.vm else {}),
                **call.map("details"),
            },
        )
    )
    try:
        yield template
    except BaseException:
        call.cloud.store.remove(template)
        raise
    template.copies = copies_in(call, [zone])
    return template


def _owner_of_created(call: Call) -> Account:
    """Whose a template from a disk is: as told, the caller's where nobody is named or found, a project's where the disk is
    (CreateTemplateCmd.findAccountIdToUse)."""
    disk = call.get("volumeid") or call.get("snapshotid")
    if isinstance(disk, Volume | Snapshot) and disk.account.type == AccountType.PROJECT:
        return disk.account
    with suppress(InvalidParameterValue, PermissionDenied):
        return named_account(call) or call.account
    return call.account


def _disk_of(call: Call) -> tuple[Volume, Snapshot | None]:
    if "zoneid" in call and "snapshotid" not in call:
        raise InvalidParameterValue(
            "Failed to create private template record, zone ID can only be specified together with snapshot ID."
        )
    if "volumeid" not in call and "snapshotid" not in call:
        raise InvalidParameterValue(f"{FROM_DISK}neither volume ID nor Snapshot ID were specified.")
    if "volumeid" in call and "snapshotid" in call:
        raise InvalidParameterValue(
            f"{FROM_DISK}please specify only one of volume ID ({call['volumeid'].number}) and Snapshot ID "
            f"({call['snapshotid'].number})"
        )
    if "snapshotid" in call:
        snapshot = call.one(Snapshot, "snapshotid", missing=f"{FROM_DISK}unable to find Snapshot {{}}")
        check_access(call.cloud, call.account, snapshot)
        if snapshot.state != "BackedUp":
            raise InvalidParameterValue(
                f"Snapshot {volumes.describe_snapshot(snapshot)} is not in BackedUp state yet and can't be used for Template "
                "creation"
            )
        return snapshot.volume, snapshot
    volume = call.one(Volume, "volumeid", missing=f"{FROM_DISK}unable to find volume {{}}")
    check_access(call.cloud, call.account, volume)
    if volume.vm is not None and volume.vm.state not in ("Stopped", "Destroyed", "Error"):
        raise InternalError(
            f"Unable to create private Template for volume: {volumes.describe_in_full(volume)}; volume is attached to a "
            "non-stopped Instance, please stop the Instance first"
        )
    if _hypervisor_of(call, volume) == "LXC":
        raise InvalidParameterValue(
            f"Template creation is not supported for LXC volume: {volumes.describe_in_full(volume)}"
        )
    return volume, None


def _hypervisor_of(call: Call, volume: Volume) -> str:
    if volume.hypervisor is not None:
        return volume.hypervisor
    if volume.vm is not None:
        return volume.vm.hypervisor
    return volume.template.hypervisor if volume.template is not None else call.cloud.hypervisor


@family.command("updateTemplate")
def update_template(call: Call) -> Answer:
    check_known(call)
    template = _template(call, "Please specify a valid Template.")
    kind = template_type_of(call, "update Template to", template.cross_zones)
    update_image(call, template)
    if call.get("isrouting") is False and kind is None:
        kind = "USER"
    template.template_type = kind or template.template_type
    if "templatetag" in call:
        template.template_tag = call["templatetag"].strip() or None
    return {"template": shown(call, updated_fields(template, call))}


def _template(call: Call, refusal: str, missing: str = "Unable to find Template/ISO with specified id") -> Template:
    template = call.one(Template, missing=missing)
    if template.is_iso:
        raise InvalidParameterValue(refusal)
    return template


@family.command("copyTemplate")
def copy_template(call: Call) -> Answer:
    template = call.one(Template, missing="Unable to find Template with id")
    add_copies(call, template)
    targets = call.many(Zone, "destzoneids") or [call.one(Zone, "destzoneid")]
    return {"template": shown(call, template_fields(template, template.copy_in(targets[0]), call))}


@family.command("deleteTemplate")
def delete_template(call: Call) -> Answer:
    template = call.one(Template, missing="Unable to find Template with id {}")
    users = users_of(call, template)
    if users and not call.flag("forced"):
        text = f"Unable to delete template [{describe_image(template)}] because there are [{len(users)}] VM instances using it."
        if call.is_root_admin:
            named = ",".join(
                f'VM instance {{"id":{vm.number},"instanceName":"{vm.instance_name}","uuid":"{vm.id}"}}' for vm in users
            )
            text += f" Instances list: [{named}]."
        raise InvalidParameterValue(text)
    check_access(call.cloud, call.account, template, "OperateEntry")
    if template.is_iso:
        raise InvalidParameterValue("Please specify a valid Template.")
    if template.template_type == "SYSTEM" and not call.flag("issystem"):
        raise InvalidParameterValue(
            "Could not delete template as it is a SYSTEM template and isSystem is set to false."
        )
    remove_copies(call, template)
    return Success()


@family.command("extractTemplate")
def extract_template(call: Call) -> Answer:
    return {
        "template": extracted(
            call,
            _template(call, "Unsupported format, could not extract the Template", "Unable to find TEMPLATE with id {}"),
            "TEMPLATE",
        )
    }


@family.command("prepareTemplate")
def prepare_template(call: Call) -> Answer:
    template = call.one(Template, "templateid", missing="Unable to find Template ID={}")
    check_access(call.cloud, call.account, template, "OperateEntry")
    return _per_zone(call, template)


@family.command("updateTemplatePermissions")
def update_template_permissions(call: Call) -> Answer:
    update_permissions(
        call, _template(call, "Please provide a valid Template", "unable to find  with id {}"), "template"
    )
    return Success()


@family.command("listTemplatePermissions")
def list_template_permissions(call: Call) -> Answer:
    return {
        "templatepermission": permission_fields(
            call, _template(call, "Please provide a valid Template", "unable to find template with id {}")
        )
    }
