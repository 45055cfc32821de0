"""What a live server said of itself, and how that meets what the environments file says."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from cs_matrix_pytest.environments.model import UNKNOWN, Context, Environment, Hypervisor, Storage

HYPERVISOR = "hypervisor"
FACTS = frozenset({HYPERVISOR, "hypervisor version", "networking", "storage scope", "storage protocol"})
"""The facts that a server can contradict."""

SAME_HYPERVISOR = {"xcpng": "xenserver", "xcp-ng": "xenserver", "xen": "xenserver", "esxi": "vmware"}
"""Names that people use for a hypervisor → what CloudStack calls it."""

_FAMILIES = {"ol": "oracle", "el": "", "rhel": "redhat", "sles": "suse", "xcpng": "", "xenserver": "", "esxi": ""}
"""Short names of systems in versions (``ol8``, ``xcpng82``) → how the full name begins; empty: digits say it all."""


@dataclass(frozen=True)
class Facts:
    """Facts read from a live server, of the zone that tests run in.

    ``zone`` is None where the server has no such zone; then only ``zones`` and ``acs_version`` say something.
    ``hypervisors`` has each type and version once. ``signed``: requests were signed with the configuration's keys
    and verified; False where the integration port asked for none. Absent facts are None.
    """

    url: str
    signed: bool
    acs_version: str | None = None
    zones: tuple[str, ...] = ()
    zone: str | None = None
    networking: str | None = None
    hypervisors: tuple[Hypervisor, ...] = ()
    storage: Storage | None = None
    hosts_up: int = 0
    hosts_total: int = 0


def merge_facts(
    environment: Environment, facts: Facts, said_by: str = "the environments file", said: frozenset[str] = FACTS
) -> tuple[Environment, list[str]]:
    """The environment with what the live server said, and a warning for each fact in which the two differ.

    `said_by` names where the environment's facts are from, for the warnings; `said` are those (of `FACTS`) that deserve
    one. The server wins, except that a version of the environment which merely says less (``ubuntu24`` for Ubuntu 24.04)
    stays: it is how labs make their results comparable.
    """
    context = environment.context
    hypervisor = _hypervisor(context.hypervisor, facts.hypervisors)
    storage = _storage(context.storage, facts.storage)
    networking = facts.networking or context.networking
    merged = replace(context, hypervisor=hypervisor, networking=networking, storage=storage)
    warnings = [
        f"{environment.name}: {said_by} says {fact} {before}, the server {found}; the server's counts"
        for fact, before, found in _differences(context, merged)
        if fact in said
    ]
    zone = facts.zone or environment.zone
    return replace(environment, context=merged, zone=zone), warnings


def _differences(said: Context, found: Context) -> list[tuple[str, str, str]]:
    facts = (
        (HYPERVISOR, said.hypervisor.type, found.hypervisor.type),
        ("hypervisor version", said.hypervisor.version, found.hypervisor.version),
        ("networking", said.networking, found.networking),
        ("storage scope", said.storage.scope, found.storage.scope),
        ("storage protocol", said.storage.protocol, found.storage.protocol),
    )
    # What was left open is no difference.
    return [
        (name, before, after or "none") for name, before, after in facts if before and before not in (UNKNOWN, after)
    ]


def _hypervisor(said: Hypervisor, found: tuple[Hypervisor, ...]) -> Hypervisor:
    if not found:
        return said
    wanted = SAME_HYPERVISOR.get(said.type, said.type)
    same_type = [each for each in found if each.type == wanted]
    if not same_type:
        return found[0]
    versions = [each.version for each in same_type if each.version]
    if not versions or (said.version and any(versions_agree(said.version, version) for version in versions)):
        return said
    return Hypervisor(said.type, "+".join(versions))


def _storage(said: Storage, found: Storage | None) -> Storage:
    if found is None:
        return said
    # Local storage has no protocol worth comparing; a file that names none leaves the server's.
    return Storage(found.scope, found.protocol or (said.protocol if found.scope == said.scope else None))


def versions_agree(one: str, other: str) -> bool:
    """True where two spellings can mean the same version, one perhaps more exactly.

    ``8.0`` and ``8.0.3``; ``80u3`` and ``8.0.3``; ``ubuntu24`` and ``Ubuntu 24.04``; ``xcpng82`` and ``8.2.1``.
    """
    (family, numbers), (other_family, other_numbers) = _parts(one), _parts(other)
    if family and other_family and not (family.startswith(other_family) or other_family.startswith(family)):
        return False
    if len(numbers) > 1 and len(other_numbers) > 1:
        shorter = min(len(numbers), len(other_numbers))
        return numbers[:shorter] == other_numbers[:shorter]
    # At least one is written without dots, as in 80u3 and ubuntu2404: compare the digits alone.
    digits, other_digits = "".join(numbers), "".join(other_numbers)
    return digits.startswith(other_digits) or other_digits.startswith(digits)


def _parts(version: str) -> tuple[str, list[str]]:
    """(family, numbers): ``Ubuntu 24.04`` → (``ubuntu``, [24, 04]); VMware's update mark counts as a dot."""
    text = re.sub(r"^(\d)(\d)\s*u(?=\d)", r"\1.\2.", version.lower())
    text = re.sub(r"(?<=\d)\s*u(?=\d)", ".", text)
    first_digit = re.search(r"\d", text)
    family = re.sub(r"[^a-z]", "", text[: first_digit.start()] if first_digit else text)
    numbers = re.findall(r"\d+", text[first_digit.start() :]) if first_digit else []
    return _FAMILIES.get(family, family), numbers
