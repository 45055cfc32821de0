"""SSH key pairs of accounts. Keys that are made here look like keys, but open nothing: no guest runs behind them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import owner_of_new, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.listing import filtered, page
from cs_matrix_pytest.simulator.models.access_keys import SshKeyPair
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.registry import Answer, Family, ListSpec, Success
from cs_matrix_pytest.simulator.views import owner_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("SSH keys")
SPEC = ListSpec(SshKeyPair, keyword=("name", "fingerprint"), newest_first=True)

KEY_TYPES = ("ssh-rsa", "ssh-dss", "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
KEY_BYTES = 279
"""The length of an RSA public key of 2048 bits."""


@family.view(SshKeyPair)
def key_pair_view(pair: SshKeyPair, call: Call) -> dict[str, Any]:
    return {
        "id": pair.id,
        "name": pair.name,
        **owner_fields(pair.account),
        "fingerprint": pair.fingerprint,
        "hasannotations": has_annotations(pair, call),
    }


# ListSSHKeyPairsCmd names its rows otherwise than the commands that make one.
@family.command("listSSHKeyPairs", object_name="sshkeypair")
def list_key_pairs(call: Call) -> Answer:
    # Who names one by its id alone sees no more than their own.
    scope = scoping(call, by_id=False)
    rows = [row for row in call.cloud.store.table(SshKeyPair) if scope.admits(row.account)]
    return page(call, filtered(call, SPEC, rows))


def key_pair_named(cloud: Cloud, owner: Account, name: str) -> SshKeyPair | None:
    """An account's key pair of this name, in whatever case."""
    return cloud.store.table(SshKeyPair).first(lambda pair: pair.name.lower() == name.lower(), account=owner)


def fingerprint(public_key: str) -> str:
    """The MD5 fingerprint of a public key: ``88:0e:…``."""
    text = re.sub(r"[^A-Za-z0-9+/]", "", public_key.split(" ")[1])
    try:
        blob = base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        blob = text.encode()
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


@family.command("createSSHKeyPair")
def create_key_pair(call: Call) -> Answer:
    name = call["name"]
    if not name.strip():
        raise InvalidParameterValue("Please specify a valid name for the key pair. The key name can't be empty")
    owner = owner_of_new(call)
    if key_pair_named(call.cloud, owner, name) is not None:
        raise InvalidParameterValue(f"A key pair with name '{name}' already exists.")
    public_key = "ssh-rsa " + base64.b64encode(b"\0\0\0\7ssh-rsa" + secrets.token_bytes(KEY_BYTES - 11)).decode()
    body = base64.encodebytes(secrets.token_bytes(1190)).decode()
    private_key = f"-----BEGIN RSA PRIVATE KEY-----\n{body}-----END RSA PRIVATE KEY-----\n"
    pair = call.cloud.store.add(
        SshKeyPair(
            account=owner,
            name=name,
            public_key=public_key,
            fingerprint=fingerprint(public_key),
        )
    )
    return {"keypair": {**call.cloud.view(pair, call), "privatekey": private_key}}


@family.command("registerSSHKeyPair")
def register_key_pair(call: Call) -> Answer:
    owner, name, text = owner_of_new(call), call["name"], call["publickey"]
    if key_pair_named(call.cloud, owner, name) is not None:
        raise InvalidParameterValue(f"A key pair with name '{name}' already exists for this account.")
    public_key = _public_key(text)
    if call.cloud.store.table(SshKeyPair).first(account=owner, public_key=public_key) is not None:
        raise InvalidParameterValue(f"A key pair with key '{text}' already exists for this account.")
    return call.cloud.store.add(
        SshKeyPair(account=owner, name=name, public_key=public_key, fingerprint=fingerprint(public_key))
    )


def _public_key(text: str) -> str:
    """Type and key of what is written, which may be in base64 as a whole."""
    if " " not in text:
        try:
            text = base64.b64decode(text).decode()
        except (binascii.Error, UnicodeDecodeError):
            text = ""
    parts = text.split(" ")
    if not text.startswith(KEY_TYPES) or len(parts) < 2:
        raise InvalidParameterValue("Public key is invalid")
    return f"{parts[0]} {parts[1]}"


@family.command("deleteSSHKeyPair")
def delete_key_pair(call: Call) -> Answer:
    owner = owner_of_new(call)
    pair = key_pair_named(call.cloud, owner, call["name"])
    if pair is None:
        raise InvalidParameterValue(
            f"A key pair with name '{call['name']}' does not exist for account {owner.name} in specified domain id",
            named={"domainId": owner.domain.id},
        )
    call.cloud.store.remove(pair)
    return Success()


@family.on_account_removal
def remove_key_pairs(cloud: Cloud, account: Account) -> None:
    for pair in cloud.owned_by(SshKeyPair, account):
        cloud.store.remove(pair)
