"""What switches a host's power: its BMC, simulated as the host is, or the CloudStack in which it is a VM."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote_plus, urlsplit

from cs_matrix_pytest.simulator.errors import InternalError
from cs_matrix_pytest.simulator.models.host_services import OutOfBandManagement
from cs_matrix_pytest.simulator.outbox import is_here
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

OPERATIONS = ("ON", "OFF", "CYCLE", "RESET", "SOFT", "STATUS")
LONGEST_WAIT = 5.0
"""Wall-clock seconds that another CloudStack gets to answer: this one answers nobody meanwhile."""


@dataclass(frozen=True)
class Outcome:
    """What a driver says of an operation. ``power``: what STATUS found, ``On`` or ``Off``."""

    text: str | None = None
    error: str | None = None
    power: str | None = None
    refused: bool = False
    """True where the credentials were refused."""

    @property
    def succeeded(self) -> bool:
        return self.error is None


@dataclass(eq=False, kw_only=True, repr=False)
class Bmc(Resource):
    """A simulated baseboard management controller; it is there wherever somebody first looks for one."""

    label: ClassVar[str] = "BMC"

    address: str
    port: str
    power: str = "On"
    users: dict[str, str] = field(default_factory=dict)
    """Passwords by user. The first who comes is its user."""


def bmc_of(cloud: Cloud, config: OutOfBandManagement) -> Bmc:
    """The BMC at a configured address."""
    table, address, port = cloud.store.table(Bmc), config.address or "", config.port or ""
    return table.first(address=address, port=port) or cloud.store.add(
        Bmc(address=address, port=port, users={config.username or "": config.password or ""})
    )


AFTER = {"ON": "On", "OFF": "Off", "SOFT": "Off", "CYCLE": "On", "RESET": "On"}
"""The power after an operation. A machine that is off stays so when it is cycled or reset."""
IPMI_TEXTS = {
    "ON": "Chassis Power Control: Up/On",
    "OFF": "Chassis Power Control: Down/Off",
    "CYCLE": "Chassis Power Control: Cycle",
    "RESET": "Chassis Power Control: Reset",
    "SOFT": "Chassis Power Control: Soft",
}
WRONG_PASSWORD = "Error: Unable to establish IPMI v2 / RMCP+ session: RAKP 2 HMAC is invalid\n"


def _switch(bmc: Bmc, operation: str) -> None:
    if operation in AFTER and (bmc.power == "On" or operation == "ON"):
        bmc.power = AFTER[operation]


def ipmitool(cloud: Cloud, config: OutOfBandManagement, operation: str, _seconds: float) -> Outcome:
    """The power operation by IPMI, with the texts that ipmitool prints."""
    bmc = bmc_of(cloud, config)
    if bmc.users.get(config.username or "") != config.password:
        return Outcome(error=WRONG_PASSWORD, refused=True)
    _switch(bmc, operation)
    if operation == "STATUS":
        return Outcome(f"Chassis Power is {bmc.power.lower()}\n", power=bmc.power)
    return Outcome(IPMI_TEXTS[operation] + "\n")


def redfish(cloud: Cloud, config: OutOfBandManagement, operation: str, _seconds: float) -> Outcome:
    """The power operation by Redfish, whose driver tells only the HTTP status."""
    bmc = bmc_of(cloud, config)
    if bmc.users.get(config.username or "") != config.password:
        raise InternalError(
            f"Failed to get System power state for host '{config.address}' with request 'GET: "
            f"https://{config.address}/redfish/v1/Systems/'. The expected HTTP status code is '200' but it got '401'."
        )
    _switch(bmc, operation)
    return Outcome("200", power=bmc.power if operation == "STATUS" else None)


NESTED_COMMANDS = {
    "ON": "startVirtualMachine",
    "OFF": "stopVirtualMachine",
    "SOFT": "stopVirtualMachine",
    "CYCLE": "rebootVirtualMachine",
    "RESET": "rebootVirtualMachine",
    "STATUS": "listVirtualMachines",
}
POWER_OF_STATE = {"Running": "On", "Stopped": "Off"}


def signed_query(params: dict[str, str], secret: str) -> str:
    """A query string with its signature, as CloudStack's API verifies it."""
    pairs = sorted((key.lower(), quote_plus(value).replace("+", "%20")) for key, value in params.items())
    text = "&".join(f"{key}={value}" for key, value in pairs).lower()
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
    query = "&".join(f"{key}={quote_plus(value)}" for key, value in params.items())
    return f"{query}&signature={quote_plus(base64.b64encode(digest).decode())}"


def nested_cloudstack(_cloud: Cloud, config: OutOfBandManagement, operation: str, seconds: float) -> Outcome:
    """The power operation on the VM that the host is in another CloudStack: the address is its API, the port the VM's
    id, user and password are keys."""
    if not (config.address and config.port and config.username and config.password):
        raise InternalError("Invalid out-of-band management configuration detected for the nested-cloudstack driver")
    if urlsplit(config.address).scheme not in ("http", "https") or not is_here(urlsplit(config.address).hostname or ""):
        raise InternalError(f"This simulator contacts a CloudStack of this machine only, not {config.address}")
    params = {
        "command": NESTED_COMMANDS[operation],
        "response": "json",
        "forced": "true",
        "id": config.port,
        "apiKey": config.username,
    }
    url = f"{config.address}?{signed_query(params, config.password)}"
    # Suites put what they like in place of ssl's default context; since Python 3.12 even plain http would meet it.
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
    try:
        with opener.open(url, timeout=min(seconds, LONGEST_WAIT)) as answer:
            text = answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return Outcome(error=f"HTTP error code: {error.code}", refused=error.code == 401)
    except (OSError, ValueError) as error:
        raise InternalError(f"Error while executing request [{params['command']}]: {error}") from None
    return Outcome(text, power=nested_power(text) if operation == "STATUS" else None)


def nested_power(text: str) -> str:
    """The power of the VM in an answer to listVirtualMachines; ``Unknown`` where there is none."""
    try:
        machines = json.loads(text)["listvirtualmachinesresponse"]["virtualmachine"]
        return POWER_OF_STATE.get(machines[0]["state"], "Unknown")
    except (ValueError, LookupError, TypeError):
        return "Unknown"


def set_bmc_password(cloud: Cloud, config: OutOfBandManagement, password: str) -> str | None:
    """Change the password of the configured user; why not, where it cannot be."""
    bmc, user = bmc_of(cloud, config), config.username or ""
    if bmc.users.get(user) != config.password:
        return WRONG_PASSWORD
    bmc.users[user] = password
    return None


def no_password_to_set(_cloud: Cloud, _config: OutOfBandManagement, _password: str) -> str | None:
    raise InternalError(
        "Change password operation is not supported by the nested-cloudstack out-of-band management driver"
    )


@dataclass(frozen=True)
class Driver:
    """``operate`` takes the cloud, a configuration, an operation and the seconds that it may take; ``set_password``
    gives an error's text or None."""

    operate: Callable[[Cloud, OutOfBandManagement, str, float], Outcome]
    set_password: Callable[[Cloud, OutOfBandManagement, str], str | None]


DRIVERS = {
    "ipmitool": Driver(ipmitool, set_bmc_password),
    "redfish": Driver(redfish, set_bmc_password),
    "nestedcloudstack": Driver(nested_cloudstack, no_password_to_set),
}
