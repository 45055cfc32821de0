"""VNF templates and the appliances made from them (VnfTemplateManagerImpl, VnfTemplateUtils)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue
from cs_matrix_pytest.simulator.families import guest_networks, public_ips, templates, vm_deploy, vms
from cs_matrix_pytest.simulator.ipv4 import is_cidr
from cs_matrix_pytest.simulator.models.images import Template, VnfNic
from cs_matrix_pytest.simulator.models.networks import FirewallRule, Network, SecurityGroup, SecurityGroupRule
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("VNF")

VNF = "VNF"
ACCESS_METHODS = ("console", "http", "https", "ssh-key", "ssh-password")
ACCESS_DETAILS = (
    "ACCESS_METHODS",
    "USERNAME",
    "PASSWORD",
    "SSH_USER",
    "SSH_PASSWORD",
    "SSH_PORT",
    "WEB_USER",
    "WEB_PASSWORD",
    "HTTP_PATH",
    "HTTP_PORT",
    "HTTPS_PATH",
    "HTTPS_PORT",
)
VNF_DETAILS = ("VERSION", "VENDOR", "MAINTAINER")
PORTS = {
    "ssh-key": ("ssh_port", 22),
    "ssh-password": ("ssh_port", 22),
    "http": ("http_port", 80),
    "https": ("https_port", 443),
}
"""The detail that says at which port an access method listens, and where it does without."""
EVERYWHERE = "0.0.0.0/0"


def nics_of(call: Call) -> list[VnfNic]:
    """The NICs that ``vnfnics`` describes, by device."""
    nics = []
    for entry in call.entries("vnfnics"):
        name, device = entry.get("name", ""), entry.get("deviceid", "")
        if not name.strip() or not device.strip():
            raise InvalidParameterValue("VNF nic name and deviceid cannot be null")
        if not device.lstrip("+-").isdecimal():
            raise InvalidParameterValue("Unable to parse VNF nic deviceId to Integer: null")
        nics.append(
            VnfNic(
                device_id=int(device),
                name=name,
                required=_flag(entry.get("required")),
                management=_flag(entry.get("management")),
                description=entry.get("description"),
            )
        )
    return sorted(nics, key=lambda nic: nic.device_id)


def _flag(text: str | None) -> bool:
    return not (text or "").strip() or str(text).lower() == "true"


def _check(call: Call, nics: Sequence[VnfNic]) -> dict[str, str]:
    """Check what a request says of a VNF template; give its details as they are kept."""
    if call.get("templatetype", VNF) != VNF:
        raise InvalidParameterValue("The template type must be VNF for VNF templates.")
    kept = {}
    for name, value in call.map("vnfdetails").items():
        if name.upper() not in (*ACCESS_DETAILS, *VNF_DETAILS):
            raise InvalidParameterValue(
                f"Invalid VNF detail found: {name}. Valid values are {', '.join(ACCESS_DETAILS)} and "
                f"{', '.join(VNF_DETAILS)}"
            )
        if name.upper() == "ACCESS_METHODS":
            methods = value.split(",")
            for method in methods:
                if method.strip().lower() not in ACCESS_METHODS:
                    raise InvalidParameterValue(
                        f"Invalid VNF access method found: {method}. Valid values are {', '.join(ACCESS_METHODS)}"
                    )
            value = ",".join(sorted(methods))
        kept[name.lower()] = value
    required = True
    for device, nic in enumerate(nics):
        if nic.device_id != device:
            raise InvalidParameterValue(
                f"deviceid must be consecutive and start from 0. Nic deviceid should be {device} but actual is "
                f"{nic.device_id}."
            )
        if nic.required and not required:
            raise InvalidParameterValue(
                f"required cannot be true if a preceding nic is optional. Nic with deviceid {device} should be required "
                "but actual is optional."
            )
        required = nic.required
    return kept


# Templates


@family.command("registerVnfTemplate")
def register_vnf_template(call: Call) -> Answer:
    templates.check_registration(call)
    nics = nics_of(call)
    if call.flag("deployasis") and call["hypervisor"].lower() == "vmware" and nics:
        raise InvalidParameterValue(
            "VNF nics cannot be specified when register a deploy-as-is Template. Please wait until Template settings are "
            "read from OVA."
        )
    details = _check(call, nics)
    call.params["templatetype"] = VNF
    return templates.register(call, vnf_nics=nics, vnf_details=details)


@family.command("updateVnfTemplate")
def update_vnf_template(call: Call) -> Answer:
    template = call.one(Template)
    given = call.get("templatetype", VNF).upper()
    if given != VNF and given in templates.TEMPLATE_TYPES:
        raise InvalidParameterValue(f"The template type must be VNF for VNF templates, but the actual type is {given}")
    if template.template_type != VNF:
        raise InvalidParameterValue(
            f"Cannot update as template {template.number} is not a VNF template. The template type is "
            f"{template.template_type}."
        )
    nics = nics_of(call)
    details = _check(call, nics)
    answer = templates.update_template(call)
    if call.flag("cleanupvnfdetails") or details:
        template.vnf_details = {} if call.flag("cleanupvnfdetails") else details
    if call.flag("cleanupvnfnics") or nics:
        template.vnf_nics = [] if call.flag("cleanupvnfnics") else nics
    return answer


@family.command("deleteVnfTemplate")
def delete_vnf_template(call: Call) -> Answer:
    template = call.one(Template)
    if template.template_type != VNF and not template.is_iso:
        raise InvalidParameterValue(
            f"Cannot delete as Template {template.number} is not a VNF template. The template type is "
            f"{template.template_type}."
        )
    return templates.delete_template(call)


@family.command("listVnfTemplates")
def list_vnf_templates(call: Call) -> Answer:
    if call.get("templatetype", VNF) != VNF:
        raise InvalidParameterValue("Template type must be VNF when list VNF templates")
    call.params["templatetype"] = VNF
    return templates.list_templates(call)


# Appliances


def open_ports(template: Template) -> list[int]:
    """Where the access methods of a VNF template listen."""
    ports = set()
    for method in template.vnf_details.get("access_methods", "").split(","):
        if method.lower() in PORTS:
            detail, default = PORTS[method.lower()]
            text = template.vnf_details.get(detail, "")
            ports.add(int(text) if text.isdecimal() else default)
    return sorted(ports)


@family.command("deployVnfAppliance")
def deploy_appliance(call: Call) -> Generator[Resource, None, Answer]:
    cidrs: list[str] = call.get("vnfcidrlist") or [EVERYWHERE]
    for cidr in cidrs:
        if not is_cidr(cidr):
            raise InvalidParameterValue(f"Invalid cidr for VNF appliance: {cidr}")
    template = vm_deploy.image_of(call)
    vm_deploy.check_vnf_nics(call, template)
    steps = vm_deploy.deploy(call)
    vm = next(steps)
    assert isinstance(vm, UserVm)
    if call.flag("vnfconfiguremanagement") and vm.zone.security_groups_enabled:
        _let_into_group(call.cloud, vm, open_ports(template), cidrs)
    for nic in vm.nics:
        managed = any(each.management and each.device_id == nic.device_id for each in template.vnf_nics)
        if managed and nic.ip_address is not None and _takes_rules(nic.network):
            _let_in(call.cloud, vm, nic.network, nic.ip_address, open_ports(template), cidrs)
    try:
        yield vm
    except ApiError as error:
        steps.throw(error)
    try:
        next(steps)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    raise RuntimeError("a create-type command yields once")


def _takes_rules(network: Network) -> bool:
    return network.guest_type == "Isolated" and network.vpc is None and network.supports("StaticNat", "Firewall")


def _let_in(cloud: Cloud, vm: UserVm, network: Network, address: str, ports: Sequence[int], cidrs: list[str]) -> None:
    """Give a management NIC a public address of its own with its ports open."""
    guest_networks.ensure_source_nat(cloud, network)
    ip = public_ips.acquire(cloud, vm.account, vm.zone, network=network)
    ip.static_nat, ip.vm, ip.vm_ip = True, vm, address
    for port in ports:
        cloud.store.add(
            FirewallRule(
                account=vm.account,
                protocol="tcp",
                network=network,
                ip=ip,
                start_port=port,
                end_port=port,
                cidr_list=list(cidrs),
                state="Active",
            )
        )


def _let_into_group(cloud: Cloud, vm: UserVm, ports: Sequence[int], cidrs: list[str]) -> None:
    """Put an appliance into a security group that lets its management in."""
    if not ports:
        return
    group = cloud.store.add(
        SecurityGroup(
            account=vm.account,
            name=f"VNF_SecurityGroup_{int(cloud.clock.now() * 1000):x}",
            description="Security group for VNF appliance",
        )
    )
    for port in ports:
        for cidr in cidrs:
            cloud.store.add(
                SecurityGroupRule(group=group, egress=False, protocol="tcp", start_port=port, end_port=port, cidr=cidr)
            )
    vm.security_groups = (*vm.security_groups, group)


@family.command("listVnfAppliances")
def list_appliances(call: Call) -> Answer:
    call.params["isvnf"] = True
    return vms.list_virtual_machines(call)
