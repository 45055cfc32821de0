"""Extra configuration of virtual machines: what of a hypervisor's own settings users may add (UserVmManagerImpl)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus
from xml.parsers import expat

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.models.vm import UserVm

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.models.iam import Account

ENABLED = "enable.additional.vm.configuration"
ALLOWED = "allow.additional.vm.configuration.list."
PREFIX = "extraconfig"
"""How the details begin that keep it."""
PAIRS = re.compile(r"(?:[\w\-\s.:]*=[\w\-\s.'\":]*(?:\s+|$))+")


def add_extra_config(call: Call, vm: UserVm, account: Account) -> None:
    """Give a VM the extra configuration of a request, where an account may add some.

    Raises InvalidParameterValue where it may not, InternalError for settings that are none or not allowed.
    """
    text = call.get("extraconfig", "")
    if not text.strip():
        return
    if not call.cloud.configuration.flag(ENABLED, account):
        raise InvalidParameterValue(f"attempted setting extraconfig but {ENABLED} is disabled")
    keep = KEEPERS.get(vm.hypervisor)
    if keep is None:
        raise InternalError(f"This hypervisor {vm.hypervisor} is not supported for use with this feature")
    scope = vm.account if vm.hypervisor == "KVM" else None
    listed = call.cloud.configuration.text(f"{ALLOWED}{vm.hypervisor.lower()}", scope, default="")
    keep(vm, unquote_plus(text), [name.strip() for name in listed.split(",")])


def _lines(text: str) -> list[str]:
    return [line for line in re.split(r"\r?\n+", text) if line]


def _is_allowed(line: str, allowed: list[str]) -> bool:
    return line.partition("=")[0].lower() in [name.lower() for name in allowed]


def _of_xenserver(vm: UserVm, text: str, allowed: list[str]) -> None:
    if not PAIRS.fullmatch(text):
        raise InternalError(f"The passed extra config string '{text}' contains an invalid key/value pair pattern")
    for number, line in enumerate(_lines(text), 1):
        if not _is_allowed(line, allowed):
            raise InternalError(
                f"Extra config {line} is not on the list of allowed keys for XenServer hypervisor hosts."
            )
        vm.details[f"{PREFIX}-{number}"] = line


def _of_vmware(vm: UserVm, text: str, allowed: list[str]) -> None:
    if not PAIRS.fullmatch(text):
        raise InternalError(f"The passed extra config string {text}contains an invalid key/value pair pattern")
    for line in _lines(text):
        parts = line.rstrip("=").split("=")
        if not _is_allowed(line, allowed) or len(parts) != 2:
            raise InternalError(f"Extra config {line} is not on the list of allowed keys for VMware hypervisor hosts.")
        vm.details[parts[0].strip()] = parts[1].strip()


def _of_kvm(vm: UserVm, text: str, allowed: list[str]) -> None:
    # What has colons has names for its parts (DPDK), and is not looked at.
    if ":" not in text:
        for name in _elements(text):
            if name not in allowed:
                raise InternalError(
                    f"Extra config '{name}' is not on the list of allowed keys for KVM hypervisor hosts"
                )
    for number, part in enumerate(text.split("\n\n"), 1):
        head, _, rest = part.partition("\n")
        named = re.fullmatch(r"\S+:", head) is not None
        vm.details[f"{PREFIX}-{head[:-1] if named else number}"] = rest if named else part


def _elements(text: str) -> list[str]:
    """The names of the elements of an XML fragment. Raises InternalError where it is none."""
    names: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, _attributes: names.append(name)
    try:
        parser.Parse(f"<config>\n{text}\n</config>", True)
    except expat.ExpatError as error:
        raise InternalError(f"Failed to parse additional XML configuration: {error}") from None
    return names[1:]


KEEPERS: dict[str, Callable[[UserVm, str, list[str]], None]] = {
    "XenServer": _of_xenserver,
    "KVM": _of_kvm,
    "VMware": _of_vmware,
}
