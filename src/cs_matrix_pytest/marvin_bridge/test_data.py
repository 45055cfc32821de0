"""The test data that suites of today ask Marvin for, for Marvin 4.4.0, which has none.

Small on purpose: the keys that suites use most, with values that fit any deployment. A Marvin config can name a JSON file
of its own (``TestData.Path``), whose top-level keys win.
"""

from __future__ import annotations

from typing import Any

_PORTS = {"privateport": 22, "publicport": 22, "protocol": "TCP"}
_GUEST_SERVICES = ("Dhcp", "Dns", "SourceNat", "PortForwarding", "Vpn", "Firewall", "Lb", "UserData", "StaticNat")


def _account(name: str) -> dict[str, Any]:
    return {
        "email": f"{name}@example.org",
        "firstname": name.capitalize(),
        "lastname": "Tester",
        "username": name,
        "password": "password",
    }


def _service_offering(name: str, cpus: int, megahertz: int, mebibytes: int) -> dict[str, Any]:
    return {
        "name": f"{name} instance",
        "displaytext": f"{name} instance",
        "cpunumber": cpus,
        "cpuspeed": megahertz,
        "memory": mebibytes,
    }


def _network_offering(name: str, services: tuple[str, ...], guest_type: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "displaytext": name,
        "guestiptype": guest_type,
        "supportedservices": ",".join(services),
        "traffictype": "GUEST",
        "availability": "Optional",
        "serviceProviderList": dict.fromkeys(services, "VirtualRouter"),
        **more,
    }


def shipped_test_data() -> dict[str, Any]:
    """A fresh copy: a test may change what it was given."""
    tiny = _service_offering("Tiny", 1, 100, 128)
    disk = {"name": "Disk offering", "displaytext": "Disk offering", "disksize": 1}
    virtual_machine = {
        "displayname": "Test VM",
        "username": "root",
        "password": "password",
        "ssh_port": 22,
        "hypervisor": "",
        **_PORTS,
    }
    isolated = _network_offering(
        "Network offering: isolated",
        _GUEST_SERVICES,
        "Isolated",
        serviceCapabilityList={"SourceNat": {"SupportedSourceNatTypes": "peraccount"}},
    )
    return {
        "ostype": "CentOS 5.6 (64-bit)",
        "sleep": 60,
        "timeout": 10,
        "domain": {"name": "domain"},
        "account": _account("account"),
        "account2": _account("second"),
        "user": _account("user"),
        "project": {"name": "Project", "displaytext": "Project"},
        "service_offering": dict(tiny),
        "service_offerings": {
            "tiny": tiny,
            "small": _service_offering("Small", 1, 100, 256),
            "medium": _service_offering("Medium", 1, 100, 512),
            "big": _service_offering("Big", 1, 100, 1024),
        },
        "disk_offering": disk,
        "disk_offering_shared_5GB": {**disk, "name": "Disk offering, 5 GB", "disksize": 5},
        "resized_disk_offering": {**disk, "name": "Disk offering, 3 GB", "disksize": 3},
        "virtual_machine": virtual_machine,
        "small": dict(virtual_machine),
        "medium": dict(virtual_machine),
        "volume": {"diskname": "Test volume"},
        "network": {"name": "Test network", "displaytext": "Test network"},
        "isolated_network": {"name": "Isolated network", "displaytext": "Isolated network"},
        "shared_network": {
            "name": "Shared network",
            "displaytext": "Shared network",
            "gateway": "172.16.15.1",
            "netmask": "255.255.255.0",
            "startip": "172.16.15.2",
            "endip": "172.16.15.20",
            "acltype": "Account",
        },
        "network_offering": dict(isolated),
        "isolated_network_offering": isolated,
        "shared_network_offering": _network_offering(
            "Network offering: shared",
            ("Dhcp", "Dns", "UserData"),
            "Shared",
            specifyVlan="True",
            specifyIpRanges="True",
        ),
        "natrule": dict(_PORTS),
        "lbrule": {
            "name": "Load balancer rule",
            "alg": "roundrobin",
            "privateport": 22,
            "publicport": 2222,
            "openfirewall": False,
        },
        "fwrule": {"startport": 22, "endport": 22, "protocol": "TCP", "cidr": "0.0.0.0/0"},
        "security_group": {"name": "Security group"},
        "ingress_rule": {"protocol": "TCP", "startport": 22, "endport": 22, "cidrlist": "0.0.0.0/0"},
        "template": {
            "name": "Test template",
            "displaytext": "Test template",
            "ostype": "CentOS 5.6 (64-bit)",
            "format": "QCOW2",
            "url": "http://download.example.org/template.qcow2",
            "ispublic": True,
            "isfeatured": True,
            "isextractable": True,
        },
        "snapshot": {"name": "Test snapshot"},
        "recurring_snapshot": {"intervaltype": "HOURLY", "maxsnaps": 1, "schedule": 1, "timezone": "UTC"},
        "affinity": {"name": "Affinity group", "type": "host anti-affinity"},
    }
