"""Templates: the built-in ones, registering, creating from disks, sharing, listing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.families.os_types import os_type_named
from cs_matrix_pytest.simulator.models.images import ImageCopy, Template
from cs_matrix_pytest.simulator.models.infra import Cluster, ImageStore, Zone
from cs_matrix_pytest.simulator.registry import Family

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
