"""IPv4 arithmetic on text, as CloudStack's NetUtils has it; nothing here knows the cloud."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Network, IPv6Address

OCTETS = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}")
DOMAIN_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
"""RFC 1918 and RFC 6598."""
ALL_ONES = 0xFFFFFFFF


def is_ipv4(text: str | None) -> bool:
    return text is not None and OCTETS.fullmatch(text) is not None


def is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


def number(address: str) -> int:
    """``10.1.1.1`` as an integer."""
    value: int = struct.unpack("!I", socket.inet_aton(address))[0]
    return value


def text(address: int) -> str:
    return socket.inet_ntoa(struct.pack("!I", address))


def is_netmask(netmask: str) -> bool:
    """True for ones followed by zeros, but neither all ones nor none."""
    if not is_ipv4(netmask):
        return False
    inverted = number(netmask) ^ ALL_ONES
    return 0 < inverted < ALL_ONES and inverted & (inverted + 1) == 0


def is_cidr(cidr: str) -> bool:
    """True for ``a.b.c.d/n`` with n from 0 to 32, whatever its host bits are."""
    address, slash, size = cidr.partition("/")
    return bool(slash) and is_ipv4(address) and size.isdigit() and int(size) <= 32


def network_of(cidr: str) -> IPv4Network:
    """A CIDR as a network, host bits cleared."""
    return IPv4Network(cidr, strict=False)


def cidr_of(address: str, netmask: str) -> str:
    """The network that an address and a netmask name: ``10.1.1.0/24``."""
    return str(IPv4Network(f"{address}/{netmask}", strict=False))


def netmask_of(cidr: str | None) -> str | None:
    return None if cidr is None else str(network_of(cidr).netmask)


def prefix_length(cidr: str) -> int:
    return int(cidr.partition("/")[2])


def is_edge(address: str, netmask: str) -> bool:
    """True for the network's own address and its broadcast address."""
    network = IPv4Network(f"{address}/{netmask}", strict=False)
    return address in (str(network.network_address), str(network.broadcast_address))


def within(address: str, cidr: str) -> bool:
    bits = ALL_ONES << (32 - prefix_length(cidr)) & ALL_ONES
    return number(address) & bits == number(cidr.partition("/")[0]) & bits


def is_inside(inner: str, outer: str) -> bool:
    """True where one CIDR lies in another (or equals it)."""
    return network_of(inner).subnet_of(network_of(outer))


def overlap(one: str, other: str) -> bool:
    return network_of(one).overlaps(network_of(other))


def ranges_overlap(start: str, end: str, other_start: str, other_end: str) -> bool:
    return number(start) <= number(other_end) and number(other_start) <= number(end)


def is_private(cidr: str) -> bool:
    return any(network_of(cidr).subnet_of(private) for private in PRIVATE)


def between(start: str, end: str) -> Iterator[str]:
    """Every address from start to end, both included."""
    return map(text, range(number(start), number(end) + 1))


def first_host(cidr: str) -> str:
    """The address that a default gateway gets."""
    return text(int(network_of(cidr).network_address) + 1)


def hosts(cidr: str) -> Iterator[str]:
    """Every address of a network without its own and its broadcast address."""
    network = network_of(cidr)
    return map(text, range(int(network.network_address) + 1, int(network.broadcast_address)))


def is_domain_name(name: str) -> bool:
    """NetUtils.verifyDomainName: at most 190 characters of proper labels."""
    return 1 <= len(name) <= 190 and all(DOMAIN_LABEL.fullmatch(label) for label in name.split("."))


def mac(prefix: int, host: int) -> str:
    """A MAC address as CloudStack makes them: ``02:01:00:cc:00:0b``."""
    return ":".join(f"{octet:02x}" for octet in (prefix, *(host >> shift & 0xFF for shift in (32, 24, 16, 8, 0))))
