"""IPv4 arithmetic on addresses as text (NetUtils)."""

from __future__ import annotations

import re
from collections.abc import Iterator

_OCTET = r"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_ADDRESS = re.compile(rf"{_OCTET}(\.{_OCTET}){{3}}")


def is_address(text: str | None) -> bool:
    """True for a dotted quad."""
    return text is not None and _ADDRESS.fullmatch(text) is not None


def to_int(address: str) -> int:
    """A valid address as a number."""
    first, second, third, fourth = map(int, address.split("."))
    return first << 24 | second << 16 | third << 8 | fourth


def to_text(number: int) -> str:
    """The inverse of `to_int`."""
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def is_netmask(text: str | None) -> bool:
    """True for a contiguous mask: ``255.255.255.0``."""
    if text is None or not is_address(text):
        return False
    inverse = to_int(text) ^ 0xFFFFFFFF
    return inverse & (inverse + 1) == 0


def prefix_length(netmask: str) -> int:
    """The length of a mask: 24 for ``255.255.255.0``."""
    return to_int(netmask).bit_count()


def network_of(address: str, netmask: str) -> str:
    """The network address of an address."""
    return to_text(to_int(address) & to_int(netmask))


def cidr(address: str, netmask: str) -> str:
    """The network of an address as ``10.1.1.0/24``."""
    return f"{network_of(address, netmask)}/{prefix_length(netmask)}"


def mask_of_length(length: int) -> str:
    """``255.255.255.0`` for 24."""
    return to_text(0xFFFFFFFF << (32 - length) & 0xFFFFFFFF)


def is_cidr(text: str | None) -> bool:
    """True for ``address/length``."""
    address, _, length = (text or "").partition("/")
    return is_address(address) and length.isdecimal() and int(length) <= 32


def cidrs_overlap(one: str, other: str) -> bool:
    """True where two networks share addresses."""
    (first, _, first_length), (second, _, second_length) = one.partition("/"), other.partition("/")
    mask = mask_of_length(min(int(first_length), int(second_length)))
    return network_of(first, mask) == network_of(second, mask)


def same_network(one: str, other: str, netmask: str) -> bool:
    """True where two addresses are of one network."""
    return network_of(one, netmask) == network_of(other, netmask)


def ranges_overlap(start: str, end: str, other_start: str, other_end: str) -> bool:
    """True where two ranges share an address; ends included."""
    return to_int(start) <= to_int(other_end) and to_int(other_start) <= to_int(end)


def addresses(start: str, end: str) -> Iterator[str]:
    """Every address from start to end."""
    return map(to_text, range(to_int(start), to_int(end) + 1))


def count(start: str, end: str) -> int:
    """How many addresses a range has."""
    return to_int(end) - to_int(start) + 1


def last_of(address: str, netmask: str) -> str:
    """The last usable address of a network, before broadcast."""
    return to_text((to_int(address) | (to_int(netmask) ^ 0xFFFFFFFF)) - 1)
