"""Disk offerings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_owner, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.offering_scope import (
    check_creator,
    check_deleter,
    check_updater,
    chosen_domains,
    chosen_zones,
    detail_fields,
    in_order,
    in_zone,
    scope_fields,
    updated_domains,
    updated_offering,
    updated_zones,
    usable_by,
)
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import Domain
from cs_matrix_pytest.simulator.models.infra import StoragePool, Zone
from cs_matrix_pytest.simulator.models.offerings import DiskOffering
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.parameters import NO_ID
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.views import comma, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("disk offerings")

DEFAULTS = (
    ("Small", "Small Disk, 5 GB", 5),
    ("Medium", "Medium Disk, 20 GB", 20),
    ("Large", "Large Disk, 100 GB", 100),
)
"""Name, text and GiB (ConfigurationServerImpl.persistDefaultValues)."""

CACHE_MODES = ("none", "writeback", "writethrough", "hypervisor_default")
PROVISIONING_TYPES = ("thin", "sparse", "fat")
STORAGE_TYPES = ("local", "shared")

RATES = {
    f"{what}{way}rate{suffix}": f"disk{what.capitalize()}{way.capitalize()}Rate{shown}"
    for what in ("bytes", "iops")
    for way in ("read", "write")
    for suffix, shown in (("", ""), ("max", "Max"), ("maxlength", "MaxLength"))
}
"""Response field by parameter: ``bytesreadratemax`` → ``diskBytesReadRateMax``."""

RATE_NAMES = {
    "iopsreadrate": "IOPS Read",
    "iopswriterate": "IOPS Write",
    "bytesreadrate": "Bytes Read",
    "byteswriterate": "Bytes Write",
}
"""What error texts call a rate."""

RATE_LENGTH_LIMITS = (
    ("iopsreadratemaxlength", "IOPS read", "vm.disk.iops.maximum.read.length"),
    ("iopswriteratemaxlength", "IOPS write", "vm.disk.iops.maximum.write.length"),
    ("bytesreadratemaxlength", "Bytes read", "vm.disk.bytes.maximum.read.length"),
    ("byteswriteratemaxlength", "Bytes write", "vm.disk.bytes.maximum.write.length"),
)
"""Parameter, what the error text calls it, and the setting (seconds) that bounds it."""


@family.on_fresh_install
def default_disk_offerings(cloud: Cloud, _fresh: Mapping[str, Any]) -> None:
    for name, text, size in DEFAULTS:
        cloud.store.add(DiskOffering(name=name, display_text=text, disk_size=size))
    cloud.store.add(DiskOffering(name="Custom", display_text="Custom Disk", customized=True))


@family.view(DiskOffering)
def disk_offering_view(offering: DiskOffering, call: Call) -> dict[str, Any]:
    return {
        "id": offering.id,
        "name": offering.name,
        "state": offering.state,
        "displaytext": offering.display_text,
        "disksize": offering.disk_size,
        "created": when(offering.created),
        "iscustomized": offering.customized,
        **iops_fields(offering),
        "tags": comma(offering.storage_tags) or None,
        "storagetype": offering.storage_type,
        "provisioningtype": offering.provisioning_type,
        "displayoffering": offering.display,
        "disksizestrictness": offering.strict,
        "encrypt": offering.encrypt,
        "hasannotations": has_annotations(offering, call),
        "details": detail_fields(offering),
        **scope_fields(offering),
    }


def iops_fields(offering: DiskOffering) -> dict[str, Any]:
    """What both disk and service offerings show of rates, cache and snapshots."""
    return {
        "iscustomizediops": offering.custom_iops,
        "miniops": offering.min_iops,
        "maxiops": offering.max_iops,
        "hypervisorsnapshotreserve": offering.snapshot_reserve,
        "cacheMode": offering.cache_mode,
        **offering.rates,
    }


def tag_list(text: str | None) -> list[str]:
    """Tags as they are written in a parameter: ``a, b``."""
    return [tag.strip() for tag in (text or "").split(",") if tag.strip()]


def check_cache_mode(call: Call) -> None:
    mode = call.get("cachemode")
    if mode is not None and mode.lower() not in CACHE_MODES:
        raise InvalidParameterValue(
            f"Invalid cache mode ({mode}). Please specify one of the following valid cache mode parameters: "
            "none, writeback, writethrough or hypervisor_default."
        )


def storage_type_of(call: Call) -> str:
    """``local`` or, by default, ``shared``."""
    wanted = call.get("storagetype", "shared")
    if wanted.lower() not in STORAGE_TYPES:
        raise InvalidParameterValue(f"Invalid storage type {wanted} specified, valid types are: 'local' and 'shared'")
    return str(wanted.lower())


def provisioning_type_of(call: Call) -> str:
    """``thin`` (the default), ``sparse`` or ``fat``."""
    wanted = str(call.get("provisioningtype", "thin"))
    if wanted not in PROVISIONING_TYPES:
        raise InternalError("Internal error executing command, please contact your system administrator")
    return wanted


def check_disk_size(call: Call, size: int | None) -> None:
    most = int(call.cloud.configuration.number("storage.max.volume.size", default=2000))
    if size is not None and size > most:
        raise InvalidParameterValue(f"The maximum size for a disk is {most} GB.")


def iops_of(call: Call) -> tuple[int | None, int | None]:
    """Fewest and most operations per second: none where customised, 0 where not given."""
    least, most = call.get("miniops"), call.get("maxiops")
    if call.flag("customizediops", True):
        return None, None
    if least is None and most is None:
        return 0, 0
    if least is None or least <= 0:
        raise InvalidParameterValue("The min IOPS must be greater than 0.")
    if least > (most or 0):
        raise InvalidParameterValue("The min IOPS must be less than or equal to the max IOPS.")
    return least, most or 0


def rates_of(call: Call) -> dict[str, int]:
    """The rates that a command sets, by response field."""
    return {shown: call[name] for name, shown in RATES.items() if call.get(name, 0) > 0}


def snapshot_reserve_of(call: Call) -> int | None:
    reserve: int | None = call.get("hypervisorsnapshotreserve")
    if reserve is not None and reserve < 0:
        raise InvalidParameterValue("If provided, Hypervisor Snapshot Reserve must be greater than or equal to 0.")
    return reserve


def check_rates(call: Call) -> None:
    for name, shown in RATE_NAMES.items():
        rate, most = call.get(name), call.get(f"{name}max")
        if rate is not None and most is not None and most < rate:
            raise InvalidParameterValue(f"{shown} rate ({rate}) cannot be greater than {shown} maximum rate ({most})")
    for name, shown, setting in RATE_LENGTH_LIMITS:
        most = int(call.cloud.configuration.number(setting))
        if most and call.get(name, 0) > most:
            raise InvalidParameterValue(
                f"{shown} max length ({call[name]} seconds) cannot be greater than {setting} ({most} seconds)"
            )


@family.command("createDiskOffering")
def create_disk_offering(call: Call) -> Answer:
    domains, zones = chosen_domains(call), chosen_zones(call)
    size, customized = call.get("disksize"), call.flag("customized")
    if not customized and size is None:
        raise InvalidParameterValue("Disksize is required for a non-customized disk offering")
    if customized and size is not None:
        raise InvalidParameterValue("Disksize is not allowed for a customized disk offering")
    check_cache_mode(call)
    storage_type = storage_type_of(call)
    check_rates(call)
    if size is not None and size <= 0:
        raise InvalidParameterValue("Please specify a disk size of at least 1 GB.")
    check_disk_size(call, size)
    provisioning_type = provisioning_type_of(call)
    least, most = iops_of(call)
    check_creator(call, "disk offering", domains, call.get("tags"))
    return call.cloud.store.add(
        DiskOffering(
            name=call["name"],
            display_text=call.get("displaytext") or call["name"],
            domains=domains,
            zones=zones,
            disk_size=size or 0,
            customized=customized,
            custom_iops=call.get("customizediops"),
            storage_type=storage_type,
            provisioning_type=provisioning_type,
            storage_tags=tag_list(call.get("tags")),
            min_iops=least,
            max_iops=most,
            cache_mode=call["cachemode"].lower() if "cachemode" in call else None,
            display=call.flag("displayoffering", True),
            encrypt=call.flag("encrypt"),
            strict=call.flag("disksizestrictness"),
            snapshot_reserve=snapshot_reserve_of(call),
            rates=rates_of(call),
            details=call.map("details"),
        )
    )


STATES = {"active": "Active", "inactive": "Inactive"}


def state_of(call: Call) -> str | None:
    """An offering's new state."""
    wanted = call.get("state")
    if wanted is None:
        return None
    if wanted.lower() not in STATES:
        raise InvalidParameterValue(f"Invalid state value: {wanted}")
    return STATES[wanted.lower()]


@family.command("updateDiskOffering")
def update_disk_offering(call: Call) -> Answer:
    offering = updated_offering(call, DiskOffering, "Unable to find disk offering by id {}")
    state = state_of(call)
    zones = updated_zones(call, offering)
    domains = check_updater(
        call,
        offering,
        updated_domains(call, offering),
        zones,
        tags="disk offering tags" if call.get("tags") else "",
        retitles=any(name in call for name in ("name", "displaytext", "sortkey")),
    )
    check_rates(call)
    check_cache_mode(call)
    check_new_storage_tags(call, offering, call.get("tags"))
    retitle(call, offering)
    offering.domains, offering.zones = domains, zones
    offering.display = call.flag("displayoffering", offering.display)
    offering.rates.update(rates_of(call))
    if "tags" in call:
        offering.storage_tags = tag_list(call["tags"])
    if "cachemode" in call:
        offering.cache_mode = call["cachemode"].lower()
    offering.state = state or offering.state
    return offering


def retitle(call: Call, offering: Any) -> None:
    """Set the name, text and sort key that an update of any offering gives."""
    offering.name = call.get("name", offering.name)
    offering.display_text = call.get("displaytext", offering.display_text)
    offering.sort_key = call.get("sortkey", offering.sort_key)


def check_new_storage_tags(call: Call, offering: DiskOffering, tags: str | None) -> None:
    """New tags must be on every pool that holds a volume of the offering."""
    wanted = tag_list(tags)
    if not wanted:
        return
    volumes = call.cloud.store.table(Volume).where(disk_offering=offering)
    for pool in {volume.pool for volume in volumes if volume.pool is not None}:
        if not set(wanted) <= set(pool.storage_tags):
            named = ",".join(f'{{"name":"{volume.name}","uuid":"{volume.id}"}}' for volume in volumes)
            raise InvalidParameterValue(
                "There are active volumes using the disk offering "
                f'{{"name":"{offering.name}","uuid":"{offering.id}"}}, and the pool '
                f'{{"name":"{pool.name}","uuid":"{pool.id}"}} doesn\'t have the new tags. The following volumes are '
                f"using the mentioned disk offering [{named}]. Please first add the new tags to the mentioned storage "
                "pools before adding them to the disk offering."
            )


@family.command("deleteDiskOffering")
def delete_disk_offering(call: Call) -> Answer:
    offering = call.one(DiskOffering, missing="Unable to find disk offering by id {}")
    check_deleter(call, offering)
    offering.state = "Inactive"
    return Success()


@family.command("listDiskOfferings")
def list_disk_offerings(call: Call) -> Answer:
    rows = [row for row in call.cloud.store.table(DiskOffering) if not row.compute_only]
    state = call.get("state", "Active").lower()
    if state != "all":
        rows = [row for row in rows if row.state.lower() == state]
    if call.get("domainid") == NO_ID and "account" not in call:
        return []
    domain = call.maybe(Domain, "domainid")
    if domain is not None and "account" not in call:
        if not call.is_root_admin and not domain.contains(call.account.domain):
            raise PermissionDenied(
                f"The account:{call.account.name} does not fall in the same domain hierarchy as the disk offering"
            )
        shown = [row for row in rows if domain in row.domains and (call.is_root_admin or row.display)]
        return page(call, in_order(shown))
    recursive = call.flag("isrecursive")
    if recursive and call.account.is_normal:
        raise InvalidParameterValue("Only ROOT admins and Domain admins can list disk offerings with isrecursive=true")
    if "volumeid" in call and "storageid" in call:
        raise InvalidParameterValue("Both volume ID and storage pool ID are not allowed at the same time")
    owner = owner_of_listed(call)
    return page(call, in_order(row for row in rows if usable_by(owner, row, recursive=recursive) and _fits(call, row)))


def owner_of_listed(call: Call) -> Any:
    """Whose offerings a list shows: the named account's, else the caller's."""
    if call.caller.account is call.cloud.system_account and "account" not in call and "projectid" not in call:
        return call.account
    return owner_of_new(call)


def _fits(call: Call, row: DiskOffering) -> bool:
    zone, keyword = call.maybe(Zone, "zoneid"), call.get("keyword", "").lower()
    if ("id" in call and call["id"] is not row) or row.name.lower() != call.get("name", row.name).lower():
        return False
    if keyword not in row.name.lower() and keyword not in row.display_text.lower():
        return False
    if not in_zone(row, zone) or (zone is not None and zone.is_edge and row.storage_type != "local"):
        return False
    if row.encrypt != call.get("encrypt", row.encrypt):
        return False
    if row.storage_type != call.get("storagetype", row.storage_type).lower():
        return False
    return _fits_disks(call, row)


def _fits_disks(call: Call, row: DiskOffering) -> bool:
    """What a volume can change to, what a pool can hold, and what a VM's owner may use."""
    volume, pool, vm = (
        call.maybe(Volume, "volumeid"),
        call.maybe(StoragePool, "storageid"),
        call.maybe(UserVm, "virtualmachineid"),
    )
    if vm is not None:
        check_owner(call.account, vm.account)
    tags = set(row.storage_tags)
    if volume is not None and volume.disk_offering is not None:
        current = volume.disk_offering
        if row is current or row.strict != current.strict:
            return False
        if (
            current.strict
            and not current.compute_only
            and not row.customized
            and row.disk_size * 1024**3 != volume.size
        ):
            return False
        return set(current.storage_tags) <= tags
    return pool is None or set(pool.storage_tags) <= tags
