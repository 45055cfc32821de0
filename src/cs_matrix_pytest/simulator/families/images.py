"""What templates and ISOs have in common: who may use them, how they are shown, listed, shared, copied and deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import active_account, check_access, describe, in_project, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    InvalidParameterValue,
    ParameterError,
    PermissionDenied,
    ResourceUnavailable,
)
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.listing import page, tag_filter
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Project
from cs_matrix_pytest.simulator.models.images import ImageCopy, Iso, OsCategory, OsType, Template
from cs_matrix_pytest.simulator.models.infra import Cluster, ImageStore, StoragePool, Zone
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.parameters import NO_ID
from cs_matrix_pytest.simulator.registry import Family, Listing
from cs_matrix_pytest.simulator.texts import described
from cs_matrix_pytest.simulator.urls import parts_of
from cs_matrix_pytest.simulator.views import owner_fields, tag_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("images")

FILTERS = ("featured", "self", "selfexecutable", "shared", "sharedexecutable", "executable", "community", "all")
FORMATS = {
    "QCOW2": ("qcow2", "img"),
    "RAW": ("img", "raw"),
    "VHD": ("vhd",),
    "VHDX": ("vhdx",),
    "OVA": ("ova",),
    "ISO": ("iso",),
    "TAR": ("tar",),
    "VMDK": ("vmdk",),
    "VDI": ("vdi",),
    "ZIP": ("zip",),
    "DIR": ("dir",),
    "BAREMETAL": ("baremetal",),
    "EXTERNAL": ("external",),
}
"""Image formats and the endings that a URL of each may have, compressed or not (UriUtils)."""
COMPRESSIONS = ("", ".zip", ".bz2", ".gz", ".xz")
DOWNLOADED_SIZE = 5 * 1024**2
"""Bytes that CloudStack's own simulator reports of whatever it downloads."""


def describe_image(image: Template) -> str:
    """A template or ISO as error texts name it."""
    return (
        f'Template {{"format":"{image.format}","id":{image.number},"name":"{image.name}",'
        f'"uniqueName":"{image.number}-{image.account.number}-{image.name}","uuid":"{image.id}"}}'
    )


HYPERVISORS = (
    "XenServer",
    "KVM",
    "VMware",
    "Hyperv",
    "VirtualBox",
    "Parralels",
    "BareMetal",
    "Simulator",
    "Ovm",
    "Ovm3",
    "LXC",
    "Custom",
    "External",
    "Any",
)
"""What an image can be of (Hypervisor.HypervisorType)."""

ARCHITECTURES = ("i686", "x86_64", "aarch64", "s390x")
"""What an image can be made for (CPU.CPUArch)."""


@family.before(
    "createTemplate",
    "getUploadParamsForTemplate",
    "listClusters",
    "listClustersMetrics",
    "listHosts",
    "listHostsMetrics",
    "listIsos",
    "listOsCategories",
    "listRouters",
    "listSystemVms",
    "listTemplates",
    "listVirtualMachines",
    "listVirtualMachinesMetrics",
    "registerIso",
    "registerTemplate",
    "updateIso",
    "updateTemplate",
)
def check_architecture(call: Call) -> None:
    arch = call.get("arch", "").strip()
    if arch and arch not in ARCHITECTURES:
        raise ParameterError(f"Unsupported arch type: {arch}")


@family.access_check(Template)
def check_image_access(cloud: Cloud, account: Account, image: Template, access: str | None) -> None:
    """DomainChecker: private images are for their owner and whom they are shared with, public ones for all to use."""
    owner = image.account
    mine = owner is account or (owner.type == AccountType.PROJECT and in_project(account, owner.project))
    if account.is_root_admin or mine:
        return
    if not image.is_public:
        if account not in image.permitted:
            raise PermissionDenied(
                f"Account {describe(account)} does not have permission to launch instances from template "
                f"{describe_image(image)}"
            )
    elif access == "OperateEntry":
        raise PermissionDenied("Domain Admin and regular users can modify only their own Public Templates")
    elif not (shares_public_images(cloud, owner) or owner.domain.contains(account.domain)) and not (
        account.type != AccountType.NORMAL and account.domain.contains(owner.domain)
    ):
        raise PermissionDenied(f"{describe(account)}is not allowed to access the template {describe_image(image)}")


def shares_public_images(cloud: Cloud, owner: Account) -> bool:
    """True where an account's public images are for other domains too."""
    return cloud.configuration.flag("share.public.templates.with.other.domains", owner.domain, default=True)


@family.on_account_removal
def remove_images(cloud: Cloud, account: Account) -> None:
    for kind in (Template, Iso):
        for image in cloud.owned_by(kind, account):
            cloud.store.remove(image)
        for image in cloud.store.table(kind):
            if account in image.permitted:
                image.permitted.remove(account)


def image_fields(image: Template, copy: ImageCopy | None, call: Call) -> dict[str, Any]:
    """What both kinds show, in one zone; who did not make it sees nothing of its source."""
    insider = call.is_root_admin or image.account is call.account or image.account.type == AccountType.PROJECT
    return {
        "id": image.id,
        "name": image.name,
        "displaytext": image.display_text,
        "ispublic": image.is_public,
        "created": when(copy.created if copy else image.created),
        "passwordenabled": image.password_enabled,
        "format": image.format,
        "isfeatured": image.is_featured,
        "crossZones": image.cross_zones,
        "ostypeid": image.os_type.id,
        "ostypename": image.os_type.name,
        "zoneid": copy.zone.id if copy else None,
        "zonename": copy.zone.name if copy else None,
        "status": (copy.status if copy else "Processing") if insider else None,
        "url": image.url if insider else None,
        "size": image.size or None,
        "physicalsize": image.physical_size or None,
        "checksum": image.checksum,
        "arch": image.arch,
        "isdynamicallyscalable": image.dynamically_scalable,
        "directdownload": image.direct_download,
        "downloaddetails": download_fields(image, copy, call),
        "tags": tag_fields(image),
        "hasannotations": has_annotations(image, call),
        **user_data_fields(image),
        **owner_fields(image.account),
    }


def user_data_fields(image: Template) -> dict[str, Any]:
    """The user data that is linked to an image."""
    data = image.user_data
    if data is None:
        return {}
    return {
        "userdataid": data.id,
        "userdataname": data.name,
        "userdataparams": data.params,
        "userdatapolicy": image.user_data_policy,
    }


def download_fields(image: Template, copy: ImageCopy | None, call: Call) -> list[dict[str, str]]:
    """Where an image is in a zone: in secondary storage, and in the pools that root disks made of it are on."""
    if copy is None or copy.store is None:
        return []
    places: list[tuple[ImageStore | StoragePool, str, str, str]] = [
        (copy.store, "Image", str(copy.percent), copy.download_state)
    ]
    pools = {
        row.pool.id: row.pool
        for row in call.cloud.store.table(Volume)
        if row.template is image and row.pool is not None and row.pool.zone is copy.zone
    }
    places += [(pool, "Primary", "100", "DOWNLOADED") for pool in pools.values()]
    return [
        {
            "downloadState": state,
            "datastore": place.name,
            "downloadPercent": percent,
            **({"datastoreRole": role, "datastoreId": place.id} if call.is_root_admin else {}),
        }
        for place, role, percent, state in places
    ]


def updated_fields(image: Template, call: Call) -> dict[str, Any]:
    """What an update answers: less than a list does, and some of it always false (TemplateJoinDaoImpl)."""
    return {
        "id": image.id,
        "name": image.name,
        "displaytext": image.display_text,
        "ispublic": image.is_public,
        "created": when(image.created),
        "isready": False,
        "format": image.format,
        "bootable": image.bootable,
        "isfeatured": False,
        "crossZones": False,
        "ostypeid": image.os_type.id,
        "ostypename": image.os_type.name,
        "templatetype": image.template_type,
        "hypervisor": image.hypervisor,
        "bits": 0,
        "isdynamicallyscalable": image.dynamically_scalable,
        "details": image.details or None,
        **user_data_fields(image),
        "tags": tag_fields(image),
        "hasannotations": has_annotations(image, call),
        **owner_fields(image.account),
    }


Fields = Callable[[Template, "ImageCopy | None", Call], dict[str, Any]]


UNDECLARED = ("vnfnics", "vnfdetails")
"""What VNF templates show beyond what the commands declare (VnfTemplateResponse)."""


def shown(call: Call, fields: dict[str, Any]) -> dict[str, Any]:
    """Fields as an answer has them: declared ones that have a value."""
    declared = call.command.response
    return {
        name: value
        for name, value in fields.items()
        if value is not None and (not declared or name in declared or name in UNDECLARED)
    }


def vnf_fields(image: Template) -> dict[str, Any]:
    """What a VNF template, and its appliances, show of its NICs and of how to reach it."""
    return {
        "vnfnics": [
            {
                "deviceid": nic.device_id,
                "name": nic.name,
                "required": nic.required,
                "management": nic.management,
                **({} if nic.description is None else {"description": nic.description}),
            }
            for nic in image.vnf_nics
        ]
        or None,
        "vnfdetails": dict(sorted(image.vnf_details.items())) or None,
    }


def listed(call: Call, kind: type[Template], filter_name: str, fields: Fields) -> Listing:
    """A page of images, a row per image and zone (QueryManagerImpl.searchForTemplatesInternal)."""
    if filter_name not in FILTERS:
        raise ParameterError(f"No enum constant com.cloud.template.VirtualMachineTemplate.TemplateFilter.{filter_name}")
    if filter_name == "all" and call.account.is_normal:
        raise InvalidParameterValue("Filter all can be specified by admin only")
    images = [row for row in _visible(call, kind, filter_name) if _fits(call, row, filter_name)]
    zone, ready = call.maybe(Zone, "zoneid"), _only_ready(call, filter_name)
    rows = [
        (image, copy)
        for image in sorted(images, key=lambda row: row.sort_key)
        for copy in _copies(call, image)
        if (zone is None or (copy is not None and copy.zone is zone) or image.template_type == "PERHOST")
        and (not ready or image.template_type == "PERHOST" or (copy is not None and copy.is_ready))
    ]
    if call.flag("showunique"):
        rows = list({image.id: (image, copy) for image, copy in reversed(rows)}.values())[::-1]
    chosen: list[Any] = list(page(call, rows).rows)
    return Listing(
        [shown(call, fields(image, copy, call) | call.cloud.additions(image, call)) for image, copy in chosen],
        len(rows),
    )


def _copies(call: Call, image: Template) -> Iterable[ImageCopy | None]:
    store = call.maybe(ImageStore, "imagestoreid")
    copies = [copy for copy in image.copies if store is None or copy.store is store]
    return copies or ([None] if store is None else [])


def _only_ready(call: Call, filter_name: str) -> bool:
    if filter_name in ("featured", "selfexecutable", "sharedexecutable", "community"):
        return True
    if filter_name == "executable" and not call.account.is_normal and "account" in call and "domainid" in call:
        return True
    return call.flag("isready")


def _visible(call: Call, kind: type[Template], filter_name: str) -> list[Any]:
    """The images that a filter means for this caller."""
    caller, cloud, wanted = call.account, call.cloud, call.get("id")
    if wanted is not None:
        _check_wanted(call, kind, wanted)
        return [row for row in _kept(call, kind) if row is wanted]
    as_listed = replace(
        call,
        params={**call.params, "listall": filter_name == "all", "isrecursive": call.flag("isrecursive")},
    )
    scope = scoping(as_listed, by_id=False)
    permitted = scope.accounts
    rows = [
        row
        for row in _kept(call, kind)
        if scope.projects is None or (row.account.type == AccountType.PROJECT) is scope.projects
    ]
    if "ids" in call:
        rows = [row for row in rows if row in call["ids"]]
    if filter_name in ("self", "selfexecutable"):
        if not caller.is_normal:
            domain = permitted[0].domain if permitted else (scope.domain or caller.domain)
            below = call.flag("isrecursive")
            rows = [
                row for row in rows if row.account.domain is domain or (below and domain.contains(row.account.domain))
            ]
        rows = [row for row in rows if not permitted or row.account in permitted]
    elif filter_name in ("featured", "community"):
        rows = [row for row in rows if row.is_public and row.is_featured is (filter_name == "featured")]
    elif filter_name in ("shared", "sharedexecutable"):
        rows = [row for row in rows if any(account in row.permitted for account in permitted)]
    elif filter_name == "executable":
        rows = [row for row in rows if row.is_public or not permitted or row.account in permitted]
    elif not caller.is_root_admin:
        rows = [
            row
            for row in rows
            if row.is_public
            or (scope.projects is False and caller.domain.contains(row.account.domain))
            or (scope.projects is not False and (row.account in permitted or set(permitted) & set(row.permitted)))
        ]
    if not caller.is_root_admin:
        rows = [row for row in rows if row.account.domain is caller.domain or shares_public_images(cloud, row.account)]
    return rows


def _kept(call: Call, kind: type[Template]) -> list[Template]:
    """The images that there are, and were where the request asks for them."""
    table = call.cloud.store.table(kind)
    return [*table, *(table.removed() if call.flag("showremoved") else ())]


def _check_wanted(call: Call, kind: type[Template], wanted: Any) -> None:
    if not isinstance(wanted, Template):
        raise InvalidParameterValue("Please specify a valid template ID.")
    if kind is Iso and not wanted.is_iso:
        raise InvalidParameterValue("Specified Template Id is not an ISO")
    if kind is Template and wanted.is_iso:
        raise InvalidParameterValue("Incorrect format ISO of the specified template id")
    if not wanted.is_public and call.account.type == AccountType.DOMAIN_ADMIN:
        check_access(call.cloud, call.account, wanted.account.domain)
    else:
        check_access(call.cloud, call.account, wanted)


def _fits(call: Call, row: Template, filter_name: str) -> bool:
    keyword, category = call.get("keyword", "").lower(), call.maybe(OsCategory, "oscategoryid")
    if not row.is_iso and row.hypervisor not in _hypervisors(call.cloud):
        return False
    # One that nobody knows is taken for none.
    wanted = call.get("hypervisor", "").lower()
    wanted = wanted if wanted in {name.lower() for name in HYPERVISORS} else ""
    if filter_name in ("selfexecutable", "featured") and row.template_type == "SYSTEM":
        return False
    pool = call.maybe(StoragePool, "storageid")
    return (
        tag_filter(call)(row)
        and (keyword in row.name.lower() or keyword in row.display_text.lower())
        and row.name.lower() == call.get("name", row.name).lower()
        and wanted in ("", row.hypervisor.lower())
        and row.bootable == call.get("bootable", row.bootable)
        and row.arch == call.get("arch", row.arch)
        and row.template_type == call.get("templatetype", row.template_type).upper()
        and (category is None or row.os_type.category is category)
        and row.for_cks is call.get("forcks", row.for_cks)
        and ("isvnf" not in call or call["isvnf"] is (row.template_type == "VNF"))
        and "parenttemplateid" not in call
        and (
            pool is None
            or any(volume.template is row and volume.pool is pool for volume in call.cloud.store.table(Volume))
        )
    )


def _hypervisors(cloud: Cloud) -> set[str]:
    """The hypervisors that some zone has."""
    return {cluster.hypervisor for cluster in cloud.store.table(Cluster)} | {"External"}


def zones_of(call: Call) -> list[Zone]:
    """Where a new image goes: ``zoneid``, ``zoneids``, or with -1 every zone, which is for root admins."""
    named = [*call.get("zoneids", ()), *([call["zoneid"]] if "zoneid" in call else [])]
    every = list(call.cloud.store.table(Zone))
    if not named or NO_ID in named:
        return every
    for zone in named:
        if zone not in every:
            raise ParameterError("Please specify a valid zone.")
        if zone.allocation_state == "Disabled" and not call.is_root_admin:
            raise PermissionDenied(f"Cannot perform this operation, Zone {described(zone)} is currently disabled")
    return list(named)


def for_all_zones(call: Call) -> bool:
    """True where a new image is for every zone that there is."""
    return (
        call.get("zoneid") == NO_ID or NO_ID in call.get("zoneids", ()) or not ("zoneid" in call or "zoneids" in call)
    )


def check_new_image(call: Call, owner: Account, what: str) -> None:
    """What TemplateAdapterBase.prepare checks of both kinds."""
    if not owner.is_root_admin and for_all_zones(call):
        raise InvalidParameterValue(
            "Template registered for 'All zones' can only be owned a Root Admin account. Please select specific zone(s)."
        )
    url = call.get("url")
    if url is not None and "file://" in url.lower():
        raise InvalidParameterValue("File:// type urls are currently unsupported")
    if call.flag("ispublic") and not may_be_public(call, owner) and not owner.is_root_admin:
        raise InvalidParameterValue("Only private Templates/ISO can be created.")
    name, text = call["name"].lower(), call.get("displaytext", call["name"]).lower()
    for row in call.cloud.store.table(Template).where(template_type="SYSTEM", arch=call.get("arch", "x86_64")):
        if name == row.name.lower() or text == row.display_text.lower():
            raise ParameterError("Cannot use reserved names for Templates")
    if url is not None:
        check_url(url, what)


def may_be_public(call: Call, owner: Account) -> bool:
    return call.cloud.configuration.flag("allow.public.user.templates", owner, default=True)


def check_url(url: str, format: str) -> None:
    """A URL must be of HTTP and end as its format does; what an extension knows by it is its own business."""
    if format == "EXTERNAL":
        return
    parts = parts_of(url)
    if parts.scheme.lower() not in ("http", "https"):
        raise ParameterError(f"Unsupported scheme for url: {url}")
    path = parts.path.lower()
    if path.endswith(endings(format)):
        return
    if any(path.endswith(endings(other)) for other in FORMATS):
        raise ParameterError(
            f"Please specify a valid URL. URL:{parts.path} is an invalid for the format {format.lower()}"
        )
    raise ParameterError(f"Please specify a valid {format.lower()}")


def endings(format: str) -> tuple[str, ...]:
    return tuple(ending + compression for ending in FORMATS[format] for compression in COMPRESSIONS)


def format_of(text: str) -> str:
    if text.upper() not in FORMATS:
        names = ", ".join(FORMATS)
        raise ParameterError(f"Image format: {text} is incorrect. Supported formats are {names}")
    return text.upper()


def copies_in(call: Call, zones: Iterable[Zone], *, direct: bool = False) -> list[ImageCopy]:
    """New copies, downloaded as they are made, as CloudStack's own simulator does it."""
    stores = {store.zone: store for store in reversed(list(call.cloud.store.table(ImageStore)))}
    now = call.cloud.clock.datetime()
    copies = []
    for zone in zones:
        store = stores.get(zone) or stores.get(None)
        if store is not None or direct:
            copies.append(ImageCopy(zone=zone, store=None if direct else store, created=now))
    return copies


def add_copies(call: Call, image: Template) -> None:
    """Copy an image to other zones (TemplateManagerImpl.copyTemplate)."""
    source = call.maybe(Zone, "sourcezoneid")
    targets = call.many(Zone, "destzoneids") or [zone for zone in [call.maybe(Zone, "destzoneid")] if zone]
    if not targets:
        raise ParameterError("Either destzoneid or destzoneids parameters have to be specified.")
    if source is not None and source in targets:
        raise InvalidParameterValue("Please specify different source and destination zones.")
    check_access(call.cloud, call.account, image, "OperateEntry")
    if not (image.ready_in(source) if source is not None else image.is_ready):
        raise InvalidParameterValue(f"There is no Template {describe_image(image)} ready on image store.")
    new = [zone for zone in targets if image.copy_in(zone) is None]
    for zone in new:
        check_image_store(call.cloud, zone)
    call.cloud.limits.check(image.account, "secondary_storage", image.size * len(new))
    image.copies += copies_in(call, new)


def check_image_store(cloud: Cloud, zone: Zone) -> None:
    """Raise ResourceUnavailable where a zone has nowhere to keep a copy."""
    if not any(store.zone in (zone, None) for store in cloud.store.table(ImageStore)):
        raise ResourceUnavailable(
            f"Resource [DataCenter:{zone.number}] is unreachable: Destination zone is not ready, no image store associated"
        )


def remove_copies(call: Call, image: Template) -> None:
    """Delete an image in one zone or everywhere; it is gone when no copy is left."""
    zone = call.maybe(Zone, "zoneid")
    image.copies = [copy for copy in image.copies if zone is not None and copy.zone is not zone]
    if not image.copies:
        call.cloud.store.remove(image)


def users_of(call: Call, image: Template) -> list[UserVm]:
    """The VMs that were made from an image, or have an ISO attached."""
    zone = call.maybe(Zone, "zoneid")
    return [
        vm
        for vm in call.cloud.store.table(UserVm)
        if (vm.template is image or vm.iso is image) and (zone is None or vm.zone is zone)
    ]


def extracted(call: Call, image: Template, what: str) -> dict[str, Any]:
    """The answer of an extraction: a URL to download from."""
    if not call.is_root_admin and call.cloud.configuration.flag("disable.extraction"):
        raise PermissionDenied("Extraction has been disabled by admin")
    if image.template_type == "PERHOST":
        raise InvalidParameterValue(f"Unable to extract the {what} {image.name} as it resides on host and not on SSVM")
    if not call.is_root_admin and not image.is_extractable:
        raise InvalidParameterValue(f"Unable to extract Template {describe_image(image)} as it's not extractable")
    check_access(call.cloud, call.account, image, "OperateEntry")
    if not image.is_ready:
        raise InvalidParameterValue(f"The {what} has not been downloaded ")
    zone = call.maybe(Zone, "zoneid")
    return shown(
        call,
        {
            "id": image.id,
            "name": image.name,
            "accountid": image.account.id,
            "state": "DOWNLOAD_URL_CREATED",
            "extractMode": call["mode"],
            "url": f"http://{call.caller.remote}/userdata/{image.id}.{image.format.lower()}",
            "zoneid": zone.id if zone else None,
            "zonename": zone.name if zone else None,
        },
    )


def check_known(call: Call) -> None:
    """Raise InvalidParameterValue, which tells its number, where the image to be updated is gone."""
    image = call["id"]
    if not isinstance(image, Template) or image not in call.cloud.store:
        number = str(getattr(image, "number", image))
        raise InvalidParameterValue("Unable to find Template/ISO with specified id", named={"templateId": number})


def update_image(call: Call, image: Template) -> None:
    """TemplateManagerImpl.updateTemplateOrIso."""
    check_access(call.cloud, call.account, image, "OperateEntry")
    if "isrouting" in call and not call.is_root_admin:
        raise PermissionDenied("Parameter isrouting can only be specified by a Root Admin, permission denied")
    os_type = call.maybe(OsType, "ostypeid")
    if os_type is not None and os_type is not image.os_type:
        users = users_of(call, image)
        if users and call.get("forceupdateostype") is False:
            raise InvalidParameterValue(
                f"Updating OS type will update the guest OS configuration for all of the {len(users)} Instance(s) deployed "
                "with this Template/ISO, which may affect their behavior. To proceed, please set the "
                "'forceupdateostype' parameter to true."
            )
        image.os_type = os_type
        for vm in users:
            vm.os_type = os_type
    if "format" in call:
        if call["format"].upper() not in FORMATS:
            raise InvalidParameterValue(
                f"Image format: {call['format']} is incorrect. Supported formats are {', '.join(FORMATS)}"
            )
        image.format = call["format"].upper()
    for name, attribute in UPDATED.items():
        if name in call:
            setattr(image, attribute, call[name])
    if call.flag("cleanupdetails"):
        image.details = {}
    elif call.map("details"):
        image.details = call.map("details")


UPDATED = {
    "name": "name",
    "displaytext": "display_text",
    "sortkey": "sort_key",
    "passwordenabled": "password_enabled",
    "sshkeyenabled": "sshkey_enabled",
    "bootable": "bootable",
    "requireshvm": "requires_hvm",
    "isdynamicallyscalable": "dynamically_scalable",
    "arch": "arch",
    "forcks": "for_cks",
}
"""Attributes that an update sets, by parameter."""


def update_permissions(call: Call, image: Template, what: str) -> None:
    """TemplateManagerImpl.updateTemplateOrIsoPermissions."""
    check_access(call.cloud, call.account, image, "OperateEntry")
    caller, owner, operation = call.account, image.account, call.get("op")
    is_admin = caller.type not in (AccountType.NORMAL, AccountType.PROJECT)
    named: list[tuple[str, Account | None]] = [
        (name, active_account(call.cloud, name, owner.domain)) for name in call.get("accounts", ())
    ]
    for project in call.many(Project, "projectids"):
        if not in_project(caller, project):
            raise InvalidParameterValue(f"Account {describe(caller)} can't access project id={project.id}")
        named.append((project.account.name, project.account))
    if call.flag("ispublic") and not is_admin and not may_be_public(call, owner):
        raise InvalidParameterValue(f"Only private {what}s can be created.")
    # An empty list names nobody, but is given.
    given = "accounts" in call or "projectids" in call
    if given and (operation or "").lower() not in ("add", "remove", "reset"):
        raise InvalidParameterValue(
            "Invalid operation on Accounts, the operation must be either 'add' or 'remove' in order to modify launch "
            f"permissions.  Given operation is: '{operation or 'null'}'"
        )
    if caller is not owner and not is_admin:
        raise InvalidParameterValue(
            f"Unable to grant permission to Account {caller.name} as it is neither admin nor owner or the Template"
        )
    operation = (operation or "").lower()
    if operation in ("add", "remove") and not given:
        raise InvalidParameterValue(f"Operation {operation} requires Accounts or projectIds to be passed in")
    if operation == "add":
        for name, account in named:
            if account is None:
                raise InvalidParameterValue(
                    f"Unable to grant a launch permission to Account {name} in domain id={owner.domain.id}, Account not "
                    "found.  No permissions updated, please verify the Account names and retry."
                )
    image.is_public = call.flag("ispublic", image.is_public)
    image.is_featured = call.flag("isfeatured", image.is_featured)
    image.is_extractable = call.flag("isextractable", image.is_extractable)
    if operation == "add":
        image.permitted += [
            account for _, account in named if account and account is not caller and account not in image.permitted
        ]
    elif operation == "remove":
        gone = [account for _, account in named]
        image.permitted = [account for account in image.permitted if account not in gone]
    elif operation == "reset":
        image.is_public, image.is_featured, image.permitted = False, False, []


def permission_fields(call: Call, image: Template) -> dict[str, Any]:
    """Who an image is shared with, its owner too where it is private."""
    if not image.is_public:
        check_access(call.cloud, call.account, image)
    accounts = [*image.permitted, *([] if image.is_public else [image.account])]
    return {
        "id": image.id,
        "ispublic": image.is_public,
        **({"domainid": image.account.domain.id} if call.is_root_admin else {}),
        **_named("account", [row.name for row in accounts if row.project is None]),
        **_named("projectids", [row.project.id for row in accounts if row.project is not None]),
    }


def _named(name: str, values: list[str]) -> dict[str, list[str]]:
    return {name: values} if values else {}
