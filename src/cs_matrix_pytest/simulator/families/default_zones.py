"""The zone that an account's users are led to (ConfigurationManagerImpl.markDefaultZone)."""

from __future__ import annotations

from cs_matrix_pytest.simulator.access import active_account, describe_domain
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.models.iam import Domain
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.registry import Answer, Family

family = Family("default_zones")


@family.command("markDefaultZoneForAccount")
def mark(call: Call) -> Answer:
    domain, name = call.one(Domain, "domainid"), call["account"]
    account = active_account(call.cloud, name, domain)
    if account is None or account.state != "enabled":
        raise InvalidParameterValue(f"Account by name: {name} doesn't exist in domain {describe_domain(domain)}")
    if account is call.cloud.system_account:
        raise InvalidParameterValue("Can not modify system account")
    account.default_zone = call.one(Zone, "zoneid")
    return account
