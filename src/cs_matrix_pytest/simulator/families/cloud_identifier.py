"""Which installation this is, signed with a user's secret key (ManagementServerImpl.getCloudIdentifierResponse)."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.models.iam import User
from cs_matrix_pytest.simulator.registry import Answer, Family

family = Family("cloud_identifier")


@family.command("getCloudIdentifier")
def get_identifier(call: Call) -> Answer:
    cloud, user = call.cloud, call["userid"]
    if not isinstance(user, User) or user not in cloud.store:
        raise InvalidParameterValue("Unable to find active user of specified id")
    check_access(cloud, call.account, user.account)
    signature = _signed(cloud.identifier, user.keys[-1].secret_key) if user.keys else ""
    return {"cloudidentifier": {"cloudidentifier": cloud.identifier, "signature": signature}}


def _signed(text: str, secret: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
