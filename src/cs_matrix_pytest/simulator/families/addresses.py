"""What guest networks ask of addresses beyond `simulator.ipv4`: hosts of a network, private ranges, MACs, domain names."""

from __future__ import annotations

import re

from cs_matrix_pytest.simulator.ipv4 import is_cidr, mask_of_length, to_int, to_text

DOMAIN_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
"""RFC 1918 and RFC 6598."""


def prefix_of(cidr: str) -> int:
    """24 for ``10.1.1.0/24``."""
    return int(cidr.partition("/")[2])


def netmask_of(cidr: str) -> str:
    """``255.255.255.0`` for ``10.1.1.0/24``."""
    return mask_of_length(prefix_of(cidr))


def bounds(cidr: str) -> tuple[int, int]:
    """The network's own address and its broadcast address, as numbers."""
    size = 1 << (32 - prefix_of(cidr))
    first = to_int(cidr.partition("/")[0]) & -size
    return first, first + size - 1


def within(address: str, cidr: str) -> bool:
    """True for an address of a network, its first and last included."""
    first, last = bounds(cidr)
    return first <= to_int(address) <= last


def is_inside(inner: str, outer: str) -> bool:
    """True where one network lies in another, or is it."""
    return prefix_of(inner) >= prefix_of(outer) and within(inner.partition("/")[0], outer)


def is_edge(address: str, cidr: str) -> bool:
    """True for a network's own address and its broadcast address."""
    return to_int(address) in bounds(cidr)


def is_private(cidr: str) -> bool:
    return any(is_inside(cidr, private) for private in PRIVATE)


def normalized(cidr: str) -> str:
    """A CIDR without host bits: ``10.1.1.0/24`` for ``10.1.1.7/24``."""
    return f"{to_text(bounds(cidr)[0])}/{prefix_of(cidr)}"


def first_host(cidr: str) -> str:
    """The address that a default gateway gets."""
    return to_text(bounds(cidr)[0] + 1)


def are_cidrs(texts: list[str]) -> bool:
    return all(is_cidr(text) for text in texts)


def is_domain_name(name: str) -> bool:
    """NetUtils.verifyDomainName: at most 190 characters of proper labels."""
    return 1 <= len(name) <= 190 and all(DOMAIN_LABEL.fullmatch(label) for label in name.split("."))


def mac(prefix: int, serial: int) -> str:
    """A MAC address as CloudStack makes them: ``02:01:00:cc:00:0b`` for the prefix 0x02."""
    return ":".join(f"{octet:02x}" for octet in (prefix, 0x01, *(serial >> shift & 0xFF for shift in (24, 16, 8, 0))))
