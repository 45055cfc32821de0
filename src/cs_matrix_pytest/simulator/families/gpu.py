"""GPUs: cards, vGPU profiles, the devices of hosts and who has them (GpuServiceImpl; devices as MockAgentManagerImpl)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.hypervisors import hypervisor_facts
from cs_matrix_pytest.simulator.listing import filtered, page
from cs_matrix_pytest.simulator.models.gpu import GpuCard, GpuDevice, VgpuProfile
from cs_matrix_pytest.simulator.models.infra import Host, Zone
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, ListSpec, Success
from cs_matrix_pytest.simulator.store import new_uuid

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("GPUs")

PASSTHROUGH = "passthrough"
VENDOR = ("1234", "Simulator")
CARDS = {"5678": "Graphics Card Basic", "89ab": "Graphics Card Pro"}
"""Device names of the cards of simulated hosts by device id."""
SIZES = {
    ("5678", PASSTHROUGH): (8192, 1, 4096, 2160, 1),
    ("89ab", PASSTHROUGH): (16384, 1, 4096, 2160, 1),
    ("89ab", "sim-8q"): (8192, 4, 4096, 2160, 2),
    ("89ab", "sim-4q"): (4096, 2, 1920, 1080, 4),
    ("89ab", "sim-2q"): (2048, 1, 1920, 1080, 8),
}
"""Video memory in MiB, heads, width, height and how many there are per card, of the profiles of simulated cards."""
SLOTS = (("5678", 0), ("5678", 0), ("5678", 1), ("5678", 1), ("89ab", 0), ("89ab", 0), ("89ab", 1), ("89ab", 1))
"""The cards of a simulated host, in the order of their bus addresses: device id and NUMA node."""
PARTS = ("sim-8q", "sim-4q", "sim-2q", "sim-2q")
"""The profiles of the parts that a simulated card which can be shared comes in."""
HEXADECIMAL = re.compile(r"[a-zA-Z0-9]+")
TYPES = ("PCI", "MDEV", "VGPUOnly")


@family.view(GpuCard)
def card_view(card: GpuCard, call: Call) -> dict[str, Any]:
    return {
        "id": card.id,
        "name": card.name,
        "deviceid": card.device_id,
        "devicename": card.device_name,
        "vendorid": card.vendor_id,
        "vendorname": card.vendor_name,
    }


def profile_size(profile: VgpuProfile) -> dict[str, Any]:
    """What a profile gives, as offerings and VMs show it too."""
    return {
        "videoram": profile.video_ram,
        "maxheads": profile.heads,
        "maxresolutionx": profile.width,
        "maxresolutiony": profile.height,
    }


@family.view(VgpuProfile)
def profile_view(profile: VgpuProfile, call: Call) -> dict[str, Any]:
    card = profile.card
    return {
        **card_view(card, call),
        "id": profile.id,
        "name": profile.name,
        "description": profile.description,
        "gpucardid": card.id,
        "gpucardname": card.name,
        **profile_size(profile),
        "maxvgpuperphysicalgpu": profile.per_card,
    }


@family.view(GpuDevice)
def device_view(device: GpuDevice, call: Call) -> dict[str, Any]:
    vm = holder(call.cloud, device)
    return {
        "id": device.id,
        "busaddress": device.bus_address,
        "gpudevicetype": device.type,
        "hostid": device.host.id,
        "hostname": device.host.name,
        "gpucardid": device.card.id,
        "gpucardname": device.card.name,
        "vgpuprofileid": device.profile.id,
        "vgpuprofilename": device.profile.name,
        "parentgpudeviceid": device.parent.id if device.parent else None,
        "state": device_state(call.cloud, device),
        "managedstate": "Managed" if device.managed else "Unmanaged",
        "numanode": device.numa_node,
        "virtualmachineid": vm.id if vm else None,
        "virtualmachinename": vm.name if vm else None,
        "vmstate": vm.state if vm else None,
    }


# Who has what


def holder(cloud: Cloud, device: GpuDevice) -> UserVm | None:
    """The VM that has a device: while it exists, and with ``gpu.detach.on.stop`` while it runs."""
    vm = device.vm
    if vm is None or vm not in cloud.store:
        return None
    gone = vm.host is None and cloud.configuration.flag("gpu.detach.on.stop", vm.zone)
    return None if gone else vm


def device_state(cloud: Cloud, device: GpuDevice) -> str:
    if holder(cloud, device) is not None:
        return "Allocated"
    parts = (part for part in cloud.store.table(GpuDevice) if part.parent is device)
    return "PartiallyAllocated" if any(holder(cloud, part) for part in parts) else "Free"


def can_be_given(device: GpuDevice) -> bool:
    return device.managed and device.type != "VGPUOnly"


def wanted(vm: UserVm) -> tuple[str | None, int]:
    """The profile that a VM's offering asks for, and how many of it."""
    fields = vm.service_offering.fields
    return fields.get("vgpuprofileid"), int(fields.get("gpucount") or 0)


def free_devices(cloud: Cloud, host: Host, profile: str, vm: UserVm) -> list[GpuDevice]:
    """The devices of a profile that a host could give a VM, those that it has already first."""
    rows = [
        device
        for device in cloud.store.table(GpuDevice).where(host=host)
        if device.profile.id == profile and can_be_given(device) and holder(cloud, device) in (None, vm)
    ]
    return sorted(rows, key=lambda device: device.vm is not vm)


def hosts_without(cloud: Cloud, vm: UserVm) -> set[Host]:
    """The hosts that have not the GPUs that a VM needs."""
    profile, count = wanted(vm)
    if profile is None:
        return set()
    return {host for host in cloud.store.table(Host) if len(free_devices(cloud, host, profile, vm)) < count}


def give(cloud: Cloud, vm: UserVm, host: Host) -> None:
    """Give a VM that starts on a host the GPUs that its offering asks for."""
    profile, count = wanted(vm)
    mine = free_devices(cloud, host, profile, vm)[:count] if profile else []
    for device in cloud.store.table(GpuDevice):
        if device in mine:
            device.vm = vm
        elif device.vm is vm:
            device.vm = None


# What hosts, zones, offerings and VMs show


def counts(cloud: Cloud, devices: Iterable[GpuDevice]) -> tuple[int, int]:
    """How many devices of these are in use, and how many there are to give."""
    rows = [device for device in devices if can_be_given(device)]
    return sum(holder(cloud, device) is not None for device in rows), len(rows)


def host_fields(cloud: Cloud, host: Host) -> dict[str, Any]:
    """What a host with GPUs shows of them; nothing before they were discovered."""
    devices = cloud.store.table(GpuDevice).where(host=host)
    if not devices:
        return {}
    used, total = counts(cloud, devices)
    groups: dict[GpuCard, dict[VgpuProfile, list[GpuDevice]]] = {}
    for device in devices:
        groups.setdefault(device.card, {}).setdefault(device.profile, []).append(device)
    return {
        "gputotal": total,
        "gpuused": used,
        "gpugroup": [
            {"gpugroupname": card.name, "vgpu": [_group(cloud, *each) for each in profiles.items()]}
            for card, profiles in groups.items()
        ],
    }


def _group(cloud: Cloud, profile: VgpuProfile, devices: list[GpuDevice]) -> dict[str, Any]:
    able = [device for device in devices if can_be_given(device)]
    size = {key: value for key, value in profile_size(profile).items() if value is not None}
    return {
        "vgputype": profile.name,
        **size,
        "maxvgpuperpgpu": profile.per_card or 1,
        "remainingcapacity": sum(holder(cloud, device) is None for device in able),
        "maxcapacity": len(able),
    }


def zone_counts(cloud: Cloud, zone: Zone) -> tuple[int, int]:
    """How many devices of a zone's hosts are in use, and how many there are to give."""
    return counts(cloud, (device for device in cloud.store.table(GpuDevice) if device.host.zone is zone))


def vm_fields(cloud: Cloud, vm: UserVm) -> dict[str, Any]:
    """What a VM whose offering has a vGPU profile shows of it."""
    id, count = wanted(vm)
    profile = cloud.store.table(VgpuProfile).get(id, removed=True) if id else None
    if profile is None:
        return {}
    return {
        "gpucardid": profile.card.id,
        "gpucardname": profile.card.name,
        "vgpuprofileid": profile.id,
        "vgpuprofilename": profile.name,
        "vgpu": profile.name,
        "gpucount": count,
        **profile_size(profile),
    }


# Cards


def check_id(text: str, what: str) -> None:
    if not HEXADECIMAL.fullmatch(text):
        raise InvalidParameterValue(f"{what} must be alphanumeric and in hexadecimal format")


def new_card(cloud: Cloud, name: str, device_id: str, device_name: str, vendor_id: str, vendor_name: str) -> GpuCard:
    return cloud.store.add(
        GpuCard(name=name, device_id=device_id, device_name=device_name, vendor_id=vendor_id, vendor_name=vendor_name)
    )


def new_profile(cloud: Cloud, card: GpuCard, name: str, size: tuple[int | None, ...]) -> VgpuProfile:
    ram, heads, width, height, per_card = size
    return cloud.store.add(
        VgpuProfile(name=name, card=card, video_ram=ram, heads=heads, width=width, height=height, per_card=per_card)
    )


@family.command("createGpuCard")
def create_card(call: Call) -> Answer:
    device_id, vendor_id, cloud = call["deviceid"], call["vendorid"], call.cloud
    check_id(device_id, "Device ID")
    check_id(vendor_id, "Vendor ID")
    if cloud.store.table(GpuCard).first(vendor_id=vendor_id, device_id=device_id):
        raise InvalidParameterValue(f"GPU card with vendor ID {vendor_id} and device ID {device_id} already exists")
    card = new_card(cloud, call["name"], device_id, call["devicename"], vendor_id, call["vendorname"])
    # Every card can be given as a whole.
    new_profile(cloud, card, PASSTHROUGH, (call.get("videoram"), None, None, None, 1))
    return card


@family.command("updateGpuCard")
def update_card(call: Call) -> Answer:
    card = call.one(GpuCard)
    card.name = call.get("name") or card.name
    card.device_name, card.vendor_name = (
        call.get("devicename") or card.device_name,
        (call.get("vendorname") or card.vendor_name),
    )
    return card


@family.command("deleteGpuCard")
def delete_card(call: Call) -> Answer:
    card, store = call.one(GpuCard), call.cloud.store
    if any(device.card is card for device in store.table(GpuDevice)):
        raise InvalidParameterValue(f"Cannot delete GPU card {card.name} as it is in use by one or more GPU devices")
    for profile in store.table(VgpuProfile).where(card=card):
        store.remove(profile)
    store.remove(card)
    return Success()


def _active(call: Call, row: GpuCard | VgpuProfile) -> bool:
    return any(row in (device.card, device.profile) for device in call.cloud.store.table(GpuDevice))


CARD_LIST = ListSpec(GpuCard, keyword=("name", "device_name", "vendor_name"))
PROFILE_LIST = ListSpec(VgpuProfile, filters={"gpucardid": lambda profile, card, _call: profile.card is card})


@family.command("listGpuCards")
def list_cards(call: Call) -> Answer:
    rows = [row for row in call.cloud.store.table(GpuCard) if not call.flag("activeonly") or _active(call, row)]
    return page(call, filtered(call, CARD_LIST, rows))


# Profiles


def check_profile_name(call: Call, card: GpuCard, current: VgpuProfile | None = None) -> None:
    other = call.cloud.store.table(VgpuProfile).first(card=card, name=call.get("name"))
    if other is not None and other is not current:
        raise InvalidParameterValue(f"vGPU profile with name {call['name']} already exists")


SIZE_PARAMETERS = ("videoram", "maxheads", "maxresolutionx", "maxresolutiony", "maxvgpuperphysicalgpu")


@family.command("createVgpuProfile")
def create_profile(call: Call) -> Answer:
    card = call.one(GpuCard, "gpucardid")
    check_profile_name(call, card)
    profile = new_profile(call.cloud, card, call["name"], tuple(call.get(name) for name in SIZE_PARAMETERS))
    profile.description = call.get("description")
    return profile


@family.command("updateVgpuProfile")
def update_profile(call: Call) -> Answer:
    profile = call.one(VgpuProfile)
    check_profile_name(call, profile.card, profile)
    profile.name = call.get("name") or profile.name
    profile.description = call.get("description", profile.description)
    profile.video_ram, profile.heads = call.get("videoram", profile.video_ram), call.get("maxheads", profile.heads)
    profile.width = call.get("maxresolutionx", profile.width)
    profile.height = call.get("maxresolutiony", profile.height)
    profile.per_card = call.get("maxvgpuperphysicalgpu", profile.per_card)
    return profile


@family.command("deleteVgpuProfile")
def delete_profile(call: Call) -> Answer:
    profile = call.one(VgpuProfile)
    if call.cloud.store.table(GpuDevice).first(profile=profile):
        raise InvalidParameterValue(
            f"Cannot delete vGPU profile with ID {profile.number} as it is in use by one or more GPU devices"
        )
    call.cloud.store.remove(profile)
    return Success()


@family.command("listVgpuProfiles")
def list_profiles(call: Call) -> Answer:
    rows = [row for row in call.cloud.store.table(VgpuProfile) if not call.flag("activeonly") or _active(call, row)]
    return page(call, filtered(call, PROFILE_LIST, rows))


# Devices


def simulated_profile(cloud: Cloud, device_id: str, name: str) -> VgpuProfile:
    """A profile of a card of simulated hosts, which is known from when it is first seen."""
    vendor_id, vendor = VENDOR
    card = cloud.store.table(GpuCard).first(vendor_id=vendor_id, device_id=device_id) or new_card(
        cloud, f"{vendor} {CARDS[device_id]}", device_id, CARDS[device_id], vendor_id, vendor
    )
    known = cloud.store.table(VgpuProfile).first(card=card, name=name)
    return known or new_profile(cloud, card, name, SIZES[device_id, name])


def simulated_devices(cloud: Cloud, host: Host) -> Iterator[GpuDevice]:
    """The devices that a simulated host has."""
    for slot, (device_id, node) in enumerate(SLOTS, start=1):
        shared = any(key == (device_id, part) for key in SIZES for part in PARTS)
        whole = GpuDevice(
            host=host,
            profile=simulated_profile(cloud, device_id, PASSTHROUGH),
            bus_address=f"00:{slot:02}.0",
            type="VGPUOnly" if shared else "PCI",
            numa_node=str(node),
        )
        yield whole
        for part in PARTS if shared else ():
            yield GpuDevice(
                host=host,
                profile=simulated_profile(cloud, device_id, part),
                bus_address=new_uuid(),
                type="MDEV",
                numa_node=str(node),
                parent=whole,
            )


@family.command("discoverGpuDevices")
def discover(call: Call) -> Answer:
    cloud, host = call.cloud, call.params["id"]
    if not isinstance(host, Host) or host not in cloud.store:
        raise InvalidParameterValue(f"Host with ID {getattr(host, 'number', host)} not found")
    if host.state != "Up":
        raise InvalidParameterValue(f"Host [{host.name}] is not in Up status")
    if hypervisor_facts(host.hypervisor).simulated and host.is_routing:
        known = cloud.store.table(GpuDevice).where(host=host)
        for device in () if known else simulated_devices(cloud, host):
            cloud.store.add(device)
    return page(call, cloud.store.table(GpuDevice).where(host=host))


def check_place(call: Call, host: Host, profile: VgpuProfile, card: GpuCard, device: GpuDevice | None = None) -> None:
    """Raise InvalidParameterValue where a device cannot be what a request says."""
    if profile.card is not card:
        raise InvalidParameterValue(f"vGPU profile {profile.name} does not belong to GPU card {card.name}")
    parent = call.maybe(GpuDevice, "parentgpudeviceid")
    if parent is not None and parent.host is not host:
        raise InvalidParameterValue("Parent GPU device must be on the same host")
    if parent is not None and parent is device:
        raise InvalidParameterValue("GPU device cannot be its own parent")
    if call.get("type", "PCI").lower() not in [name.lower() for name in TYPES]:
        raise InvalidParameterValue(f"Invalid GPU device type: {call['type']}")


def device_type(call: Call, default: str) -> str:
    return next(name for name in TYPES if name.lower() == call.get("type", default).lower())


@family.command("createGpuDevice")
def create_device(call: Call) -> Answer:
    host, address = call.one(Host, "hostid"), call["busaddress"].strip()
    if call.cloud.store.table(GpuDevice).first(host=host, bus_address=address):
        raise InvalidParameterValue(f"GPU device with bus address {address} already exists on host {host.name}")
    profile = call.one(VgpuProfile, "vgpuprofileid")
    check_place(call, host, profile, call.one(GpuCard, "gpucardid"))
    return call.cloud.store.add(
        GpuDevice(
            host=host,
            profile=profile,
            bus_address=address,
            type=device_type(call, "PCI"),
            numa_node=call.get("numanode", "-1"),
            parent=call.maybe(GpuDevice, "parentgpudeviceid"),
        )
    )


@family.command("updateGpuDevice")
def update_device(call: Call) -> Answer:
    device = call.one(GpuDevice)
    vm = holder(call.cloud, device)
    if vm is not None:
        raise InvalidParameterValue(
            f"Cannot update GPU device {device.id} as it is currently allocated to VM {vm.number}"
        )
    profile = call.maybe(VgpuProfile, "vgpuprofileid") or device.profile
    check_place(call, device.host, profile, call.maybe(GpuCard, "gpucardid") or device.card, device)
    device.profile, device.type = profile, device_type(call, device.type)
    device.numa_node = call.get("numanode", device.numa_node)
    device.parent = call.maybe(GpuDevice, "parentgpudeviceid") or device.parent
    return device


def idle_devices(call: Call, doing: str) -> list[GpuDevice]:
    """The devices that a request names. Raises InternalError where a VM has one of them."""
    rows = call.many(GpuDevice, "ids")
    for device in rows:
        if device_state(call.cloud, device) != "Free":
            raise InternalError(f"Cannot {doing} GPU device {device.id} as it is in use by one or more Instances")
    return rows


@family.command("manageGpuDevice")
def manage(call: Call) -> Answer:
    for device in call.many(GpuDevice, "ids"):
        device.managed = True
    return Success()


@family.command("unmanageGpuDevice")
def unmanage(call: Call) -> Answer:
    for device in idle_devices(call, "unmanage"):
        device.managed = False
    return Success()


@family.command("deleteGpuDevice")
def delete_devices(call: Call) -> Answer:
    for device in idle_devices(call, "delete"):
        call.cloud.store.forget(device)
    return Success()


def _devices(call: Call) -> list[GpuDevice]:
    if call.is_root_admin or "virtualmachineid" in call:
        return [device for device in call.cloud.store.table(GpuDevice) if device.host in call.cloud.store]
    raise InvalidParameterValue("virtualmachineid must be specified")


family.listing(
    "listGpuDevices",
    GpuDevice,
    rows=_devices,
    keyword=("bus_address",),
    filters={
        "gpucardid": lambda device, card, _call: device.card is card,
        "vgpuprofileid": lambda device, profile, _call: device.profile is profile,
        "virtualmachineid": lambda device, vm, call: holder(call.cloud, device) is vm,
    },
)
