"""User data as a VM is given it: checked, and joined with what its template has (UserDataManagerImpl)."""

from __future__ import annotations

import base64
import re
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from urllib.parse import unquote_plus

from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    InternalError,
    InvalidParameterValue,
)
from cs_matrix_pytest.simulator.models.access_keys import UserData
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.parameters import java_text
from cs_matrix_pytest.simulator.store import new_uuid

MOST_USER_DATA = {"POST": 1024 * 1024, "GET": 4096}
"""The characters of user data that a request can carry, by its method."""
PART_TYPES = (
    (b"#!", "x-shellscript"),
    (b"#cloud-config-archive", "cloud-config-archive"),
    (b"#cloud-config", "cloud-config"),
    (b"#cloud-boothook", "cloud-boothook"),
    (b"#include", "x-include-url"),
    (b"#part-handler", "part-handler"),
)
"""How user data begin, and the type of text that cloud-init takes each for."""


def checked_user_data(call: Call, text: str | None) -> str | None:
    """User data as it is kept, base64 with its padding; raises InvalidParameterValue where it is not base64, or more than
    a request like this can carry (UserDataManagerImpl.validateUserData)."""
    if not text or not text.strip():
        return None
    if "%" in text:
        text = unquote_plus(text)
    packed = re.sub(r"\s", "", text)
    if not re.fullmatch(r"[A-Za-z0-9+/_=-]*", packed):
        raise InvalidParameterValue("User data is not base64 encoded.")
    bare = packed.partition("=")[0].replace("-", "+").replace("_", "/")
    if len(bare) % 4 == 1:
        # One letter alone is no byte: it is passed over.
        bare = bare[:-1]
    decoded = base64.b64decode(bare + "=" * (-len(bare) % 4))
    if not decoded:
        raise InvalidParameterValue("User data is too short.")
    method = "POST" if call.method == "POST" else "GET"
    if len(text) > MOST_USER_DATA[method]:
        raise InvalidParameterValue(f"User data is too long for http {method} request")
    most = int(call.cloud.configuration.number("vm.userdata.max.length", default=32768))
    if len(text) > most:
        raise InvalidParameterValue(f"User data has exceeded configurable max length: {most}")
    return base64.b64encode(decoded).decode()


def user_data_of(call: Call, template: Template) -> tuple[str | None, UserData | None, str | None]:
    """The user data that a request gives a VM, the registered one that it is from, and the values of its variables."""
    text, registered = call.get("userdata") or None, call.maybe(UserData, "userdataid")
    if text is not None and registered is not None:
        raise InvalidParameterValue("Both userdata and userdata ID inputs are not allowed, please provide only one")
    if registered is not None:
        check_access(call.cloud, call.account, registered)
    given = text if registered is None else registered.text
    linked, policy = template.user_data, template.user_data_policy
    if linked is not None and given is not None and policy == "DENYOVERRIDE":
        raise InternalError(
            f"UserData input is not allowed here since template {template.name} is configured to deny any userdata"
        )
    if linked is not None and (given is None or policy == "APPEND"):
        given = linked.text if given is None else appended(linked.text, given)
    values = call.map("userdatadetails")
    return checked_user_data(call, given), registered, java_text(values) if values else None


def appended(first: str, second: str) -> str:
    """Two user data as one: what cloud-init takes as several parts (CloudInitUserDataProvider.appendUserData)."""
    parts = [base64.b64decode(text + "=" * (-len(text) % 4)) for text in (first, second)]
    message = MIMEMultipart("mixed", boundary=f"----={new_uuid()}")
    for part in parts:
        kind = next((kind for start, kind in PART_TYPES if part.lstrip().startswith(start)), "plain")
        message.attach(MIMEText(part.decode("utf-8", "replace"), kind, "utf-8"))
    return base64.b64encode(message.as_bytes()).decode()
