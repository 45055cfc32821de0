"""What differs between hypervisors: names, host URLs, image formats. A new one is a row here, never a branch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HypervisorFacts:
    """One hypervisor type, by the name that the API gives it."""

    name: str
    image_format: str
    version: str
    host_url: str = "http://{address}"
    """Where Marvin's configurations find a host: ``{address}``, ``{cluster}`` and ``{host}`` stand for what they name."""
    capabilities: str = "hvm"
    simulated: bool = False
    """True for the simulator plugin, whose hosts have management addresses and whose console proxies no agent."""


HYPERVISORS = {
    facts.name.lower(): facts
    for facts in (
        HypervisorFacts(
            "Simulator", "VHD", "4.23.0.0-SNAPSHOT", host_url="http://sim/{cluster}/{host}", simulated=True
        ),
        HypervisorFacts("KVM", "QCOW2", "8.0.0", capabilities="hvm,snapshot"),
        HypervisorFacts("VMware", "OVA", "8.0.3"),
        HypervisorFacts("XenServer", "VHD", "8.2.0", capabilities="xen-3.0-x86_64 , hvm-3.0-x86_64"),
        HypervisorFacts("Hyperv", "VHD", "6.3"),
        HypervisorFacts("LXC", "TAR", "2.0"),
        HypervisorFacts("Ovm", "RAW", "2.3"),
        HypervisorFacts("Ovm3", "RAW", "3.3"),
        HypervisorFacts("BareMetal", "BareMetal", "1.0"),
        HypervisorFacts("External", "EXTERNAL", "1.0"),
    )
}


def hypervisor_facts(name: str) -> HypervisorFacts:
    """The facts of a hypervisor by its name in any case; a name that is not known keeps its spelling."""
    return HYPERVISORS.get(name.lower()) or HypervisorFacts(name, "RAW", "1.0")


def api_name(name: str) -> str:
    """A hypervisor as the API spells it: ``KVM`` for ``kvm``."""
    return hypervisor_facts(name).name
