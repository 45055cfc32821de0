"""How often an account may ask the API (ApiRateLimitServiceImpl); the counting is in `throttling`."""

from __future__ import annotations

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import UnsupportedCommand
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.registry import Answer, Family, Success

family = Family("api_limits")


def check_enabled(call: Call) -> None:
    """Raise UnsupportedCommand where requests are not counted."""
    if not call.cloud.throttling.is_enabled:
        raise UnsupportedCommand("This api is only available when api.throttling.enabled = true.")


@family.command("getApiLimit")
def get_limit(call: Call) -> Answer:
    check_enabled(call)
    found = call.cloud.throttling.allowance(call.account)
    return {
        "apilimit": {
            "accountid": call.account.id,
            "account": call.account.name,
            "apiIssued": found.issued,
            "apiAllowed": found.allowed,
            "expireAfter": found.expires_after,
        }
    }


@family.command("resetApiLimit")
def reset_limit(call: Call) -> Answer:
    check_enabled(call)
    account = call.maybe(Account, "account")
    if account is None:
        call.cloud.throttling.reset()
    else:
        call.cloud.throttling.begin(account)
    return Success()
