"""Load balancing between the zones of a region (GlobalLoadBalancingRulesServiceImpl).

It needs a device in every zone that takes part. There is none here, so that no rule can be given load balancers.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_access, named_account
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.families.addresses import is_domain_name
from cs_matrix_pytest.simulator.models.global_load_balancing import GlobalLoadBalancerRule
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.networks import LoadBalancerRule
from cs_matrix_pytest.simulator.models.regions import Region
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.views import owner_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("global load balancing")

ALGORITHMS = ("roundrobin", "leastconn", "proximity")
PERSISTENCES = ("sourceip",)
SERVICE_TYPES = ("tcp", "udp", "http")


def _dns_name(cloud: Cloud) -> str:
    return cloud.configuration.text("cloud.dns.name")


@family.view(GlobalLoadBalancerRule)
def rule_view(rule: GlobalLoadBalancerRule, call: Call) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "description": rule.description,
        "gslbdomainname": f"{rule.domain_name}.{_dns_name(call.cloud) or 'null'}",
        "gslblbmethod": rule.algorithm,
        "gslbstickysessionmethodname": rule.persistence,
        "gslbservicetype": rule.service_type,
        "regionid": rule.region.number,
        **owner_fields(rule.account),
        "loadbalancerrule": [],
    }


@family.command("createGlobalLoadBalancerRule")
def create_rule(call: Call) -> Generator[GlobalLoadBalancerRule, None, Answer]:
    owner = named_account(call) or call.account
    try:
        rule = call.cloud.store.add(_planned(call, owner))
    except ApiError as error:
        # Whatever is wrong, the command calls it a bad parameter.
        raise ParameterError(error.text) from None
    yield rule
    return rule


def _planned(call: Call, owner: Account) -> GlobalLoadBalancerRule:
    cloud, domain_name = call.cloud, call["gslbdomainname"]
    algorithm, persistence = call.get("gslblbmethod", "RoundRobin"), call.get("gslbstickysessionmethodname", "sourceip")
    _check_methods(algorithm, persistence)
    if call["gslbservicetype"].lower() not in SERVICE_TYPES:
        raise ApiError(f"Invalid service type: {call['gslbservicetype']}")
    if not is_domain_name(domain_name):
        raise ApiError(f"Invalid domain name : {domain_name}")
    if cloud.store.table(GlobalLoadBalancerRule).first(domain_name=domain_name) is not None:
        raise ApiError(f"Domain name {domain_name}is in use")
    region = cloud.store.table(Region).by_number(call["regionid"])
    if region is None or region not in cloud.store:
        raise ApiError(f"Invalid region ID: {call['regionid']}")
    if not _dns_name(cloud):
        raise ApiError(f"GSLB service is not enabled in region : {region.name}")
    return GlobalLoadBalancerRule(
        account=owner,
        name=call["name"],
        description=call.get("description"),
        region=region,
        domain_name=domain_name,
        algorithm=algorithm,
        persistence=persistence,
        service_type=call["gslbservicetype"],
    )


def _check_methods(algorithm: str | None, persistence: str | None) -> None:
    if algorithm is not None and algorithm.lower() not in ALGORITHMS:
        raise InvalidParameterValue(f"Invalid Algorithm: {algorithm}")
    if persistence is not None and persistence.lower() not in PERSISTENCES:
        raise InvalidParameterValue(f"Invalid persistence: {persistence}")


def _rule(call: Call) -> GlobalLoadBalancerRule:
    rule = call.get("id")
    if not isinstance(rule, GlobalLoadBalancerRule) or rule not in call.cloud.store:
        raise InvalidParameterValue(f"Invalid global load balancer rule id: {getattr(rule, 'number', rule)}")
    check_access(call.cloud, call.account, rule, "OperateEntry")
    return rule


@family.command("updateGlobalLoadBalancerRule")
def update_rule(call: Call) -> Answer:
    rule, algorithm, persistence = _rule(call), call.get("gslblbmethod"), call.get("gslbstickysessionmethodname")
    _check_methods(algorithm, persistence)
    rule.algorithm = algorithm or rule.algorithm
    rule.persistence = persistence or rule.persistence
    rule.description = call.get("description", rule.description)
    return rule


@family.command("deleteGlobalLoadBalancerRule")
def delete_rule(call: Call) -> Answer:
    try:
        rule = _rule(call)
    except ApiError:
        raise ApiError("Failed to delete Global Load Balancer rule.") from None
    call.cloud.store.remove(rule)
    return Success()


@family.command("listGlobalLoadBalancerRules", object_name="globalloadbalancerrule")
def list_rules(call: Call) -> Answer:
    if "regionid" not in call and "id" not in call:
        raise InvalidParameterValue("Invalid arguments. At least one of region id, rule id must be specified")
    if "regionid" in call and "id" in call:
        raise InvalidParameterValue("Invalid arguments. Only one of region id, rule id must be specified")
    table = call.cloud.store.table(GlobalLoadBalancerRule)
    if "regionid" in call:
        return table.where(account=call.account)
    rule = call["id"]
    if rule not in table:
        raise InvalidParameterValue("Invalid gslb rule id specified")
    check_access(call.cloud, call.account, rule, "UseEntry")
    return [rule]


def _load_balancers(call: Call) -> list[LoadBalancerRule]:
    rows = call.get("loadbalancerrulelist", [])
    for row in rows:
        if not isinstance(row, LoadBalancerRule) or row not in call.cloud.store:
            raise InvalidParameterValue("Specified load balancer rule ID does not exist.")
        check_access(call.cloud, call.account, row)
    return list(rows)


@family.command("assignToGlobalLoadBalancerRule")
def assign(call: Call) -> Answer:
    rule, zones = _rule(call), list[Zone]()
    if not call.get("loadbalancerrulelist"):
        raise InvalidParameterValue(
            "empty list of load balancer rule Ids specified to be assigned global load balancer rule"
        )
    rows = _load_balancers(call)
    for row in rows:
        if row.account is not rule.account:
            raise InvalidParameterValue("GSLB rule and load balancer rule does not belong to same account")
        if row.network.zone in zones:
            raise InvalidParameterValue("Load balancer rule specified should be in unique zone")
        zones.append(row.network.zone)
    physical = rows[0].network.physical_network
    raise InvalidParameterValue(
        f"GSLB service is not enabled in the Zone:{zones[0].number} and physical network "
        f"{physical.number if physical else 'null'}"
    )


@family.command("removeFromGlobalLoadBalancerRule")
def unassign(call: Call) -> Answer:
    rule = _rule(call)
    if not call.get("loadbalancerrulelist"):
        raise InvalidParameterValue(
            "empty list of load balancer rule Ids specified to be un-assigned to global load balancer rule"
        )
    row = _load_balancers(call)[0]
    raise InvalidParameterValue(f"Load balancer ID {row.id} is not assigned to global load balancer rule: {rule.id}")


@family.on_account_removal
def remove_rules(cloud: Cloud, account: Account) -> None:
    for rule in cloud.owned_by(GlobalLoadBalancerRule, account):
        cloud.store.remove(rule)
