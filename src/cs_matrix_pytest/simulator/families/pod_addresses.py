"""Taking management addresses of pods (IpAddressManagerImpl.allocatePodIp, releasePodIp)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue, ResourceLimitExceeded
from cs_matrix_pytest.simulator.families.pods import free_address
from cs_matrix_pytest.simulator.models.infra import Pod, Zone
from cs_matrix_pytest.simulator.models.pod_addresses import PodAddress
from cs_matrix_pytest.simulator.registry import Answer, Family, Success

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("pod_addresses")


@family.command("acquirePodIpAddress")
def acquire(call: Call) -> Answer:
    cloud = call.cloud
    zone = cloud.store.table(Zone).get(call["zoneid"])
    if zone is None:
        raise InvalidParameterValue("Invalid zone Id ")
    if "podid" not in call:
        raise ResourceLimitExceeded("Please do not provide NULL podId")
    pod = cloud.store.table(Pod).get(call["podid"])
    if pod is None:
        raise ResourceLimitExceeded("No such pod exists")
    address = free_address(cloud, pod) if pod.zone is zone else None
    if address is None:
        raise ResourceLimitExceeded("Unable to allocate IP from this Pod")
    place = list(_places(cloud)).index((pod, address)) + 1
    cloud.store.add(PodAddress(pod=pod, address=address, place=place))
    return {
        "acquirepodipaddress": {
            "ipaddress": address,
            "podid": pod.number,
            "gateway": pod.gateway,
            "cidr": ipv4.cidr(pod.gateway, pod.netmask),
            "nicid": 0,
            "hostmac": place,
            "id": place,
        }
    }


def _places(cloud: Cloud) -> list[tuple[Pod, str]]:
    return [
        (pod, address)
        for pod in cloud.store.table(Pod)
        for row in pod.ranges
        for address in ipv4.addresses(row.start_ip, row.end_ip)
    ]


@family.command("releasePodIpAddress")
def release(call: Call) -> Answer:
    cloud, place = call.cloud, call["id"]
    taken = cloud.store.table(PodAddress).first(place=place)
    if taken is not None:
        cloud.store.remove(taken)
        return Success(text="IP is released successfully")
    places = _places(cloud)
    if not 0 < place <= len(places):
        raise InternalError(f"Unable to find ip address by id:{place}")
    raise InternalError(f"Ip Address {places[place - 1][1]} is not allocated, so do nothing.")
