"""Keys that encrypt volumes, and the profiles of what keeps them, in the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client, SignedClient, signed_by

LIBRARY = {"details[0].library": "/usr/lib/hsm.so", "details[0].slot": "1", "details[0].pin": "4711"}


@pytest.fixture
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


@pytest.fixture
def owner(client: Client) -> dict[str, str]:
    return {"account": "bob", "domainid": client.account("bob")["domainid"]}


@pytest.fixture
def profile(client: Client) -> str:
    """The profile of the database, enabled."""
    made = client.one("listHSMProfiles", listall=True)
    return str(client.one("updateHSMProfile", id=made["id"], enabled=True)["id"])


def new_key(client: Client, profile: str, owner: dict[str, str], **params: Any) -> dict[str, Any]:
    zone = client.one("listZones")["id"]
    return client.one("createKMSKey", **{"name": "key", "zoneid": zone, "hsmprofileid": profile, **owner, **params})


def test_a_fresh_install_has_a_profile_that_is_off(client: Client, owner: dict[str, str]) -> None:
    made = client.one("listHSMProfiles", listall=True)
    assert (made["name"], made["protocol"], made["account"]) == ("HSM Database Provider", "database", "system")
    assert (made["enabled"], made["ispublic"], made["details"]) == (False, True, {})
    zone = client.one("listZones")["id"]
    refused = client.refused("createKMSKey", name="k", zoneid=zone, hsmprofileid=made["id"], **owner)
    assert refused == (431, "HSM profile is not enabled: HSM Database Provider")
    assert client.refused("deleteHSMProfile", id=made["id"]) == (
        431,
        "Default database HSM profile cannot be deleted",
    )


def test_life_of_a_key(client: Client, profile: str, owner: dict[str, str]) -> None:
    key = new_key(client, profile, owner, description="d")
    assert (key["keybits"], key["version"], key["enabled"], key["algorithm"]) == (256, 1, True, "AES/GCM/NoPadding")
    client.run("rotateKMSKey", id=key["id"])
    changed = client.one("updateKMSKey", id=key["id"], name="new", enabled=False)
    assert (changed["version"], changed["name"], changed["enabled"]) == (2, "new", False)
    assert changed["keklabel"].endswith(f"-{key['id'].replace('-', '')}-v2")
    code, text = client.refused("rotateKMSKey", id=key["id"])
    assert (code, text.startswith('KMS key is not enabled: KMSKey {"accountId":')) == (431, True)
    assert client.rows("listKMSKeys", listall=True, enabled=True) == []
    assert len(client.rows("listKMSKeys", listall=True, keyword="ne", hsmprofileid=profile)) == 1
    client.run("deleteKMSKey", id=key["id"])
    assert client.rows("listKMSKeys", listall=True) == []


def test_what_is_done_with_keys_leaves_events(client: Client, profile: str, owner: dict[str, str]) -> None:
    key = new_key(client, profile, owner)["id"]
    client.run("rotateKMSKey", id=key)
    client.run("deleteKMSKey", id=key)
    types = {event["type"] for event in client.rows("listEvents", listall=True)}
    assert types >= {"HSM.PROFILE.UPDATE", "KMS.KEY.CREATE", "KMS.KEY.ROTATE", "KMS.KEY.DELETE"}


def test_keys_that_are_refused(client: Client, profile: str, owner: dict[str, str]) -> None:
    new_key(client, profile, owner)
    given = {"zoneid": client.one("listZones")["id"], "hsmprofileid": profile, **owner}
    assert client.refused("createKMSKey", name="key", **given) == (
        431,
        "A KMS key with name key already exists in this account",
    )
    assert client.refused("createKMSKey", name="k", keybits=64, **given) == (431, "Key bits must be 128, 192, or 256")


def test_profiles_of_a_library(client: Client, owner: dict[str, str]) -> None:
    assert client.refused("createHSMProfile", name="p", **owner) == (
        530,
        "Invalid parameter: library is required for PKCS#11 HSM profile",
    )
    assert client.refused("createHSMProfile", name="p", **{"details[0].library": "x"}, **owner) == (
        530,
        "Invalid parameter: One of 'slot', 'slot_list_index', or 'token_label' is required for PKCS#11 HSM profile",
    )
    made = client.one("createHSMProfile", name="p", vendorname="v", **LIBRARY, **owner)
    details = made["details"]
    assert (details["library"], made["vendor"]) == ("/usr/lib/hsm.so", "v")
    assert "4711" not in details["pin"]
    zone = client.one("listZones")["id"]
    code, text = client.refused("createKMSKey", name="k", zoneid=zone, hsmprofileid=made["id"], **owner)
    assert (code, text.startswith("Failed to create KMS key: ")) == (530, True)


def test_a_profile_that_is_used_stays(client: Client, owner: dict[str, str]) -> None:
    made = client.one("createHSMProfile", name="mine", protocol="database", **owner)["id"]
    key = new_key(client, made, owner)["id"]
    assert client.refused("deleteHSMProfile", id=made) == (
        431,
        "Cannot delete HSM profile 'mine': it is referenced by 1 KMS key(s). Please delete or reassign those keys first.",
    )
    client.run("deleteKMSKey", id=key)
    client.run("deleteHSMProfile", id=made)
    assert client.rows("listHSMProfiles", id=made) == []


def test_whose_profile_keeps_whose_key(client: Client, owner: dict[str, str]) -> None:
    mine = client.one("createHSMProfile", name="mine", protocol="database", **owner)["id"]
    domain = client.one("createDomain", name="d1")["id"]
    theirs = client.one("createHSMProfile", name="theirs", protocol="database", domainid=domain)
    assert "account" not in theirs
    eve = {"account": "eve", "domainid": client.account("eve")["domainid"]}
    zone = client.one("listZones")["id"]
    for profile, text in (
        (mine, "HSM profile 'mine' is owned by another account and cannot be used for this key's owner"),
        (theirs["id"], "HSM profile 'theirs' is domain-scoped and can only be used by accounts in its domain"),
    ):
        assert client.refused("createKMSKey", name="k", zoneid=zone, hsmprofileid=profile, **eve) == (431, text)
    dan = client.account("dan", domain=domain)
    assert new_key(client, theirs["id"], {"account": "dan", "domainid": domain})["account"] == "dan"
    assert [row["name"] for row in signed_by(client, dan).rows("listHSMProfiles")] == ["theirs"]


def test_users_see_the_public_profile_without_its_details(client: Client, profile: str) -> None:
    user = signed_by(client, client.account("eve"))
    assert user.rows("listHSMProfiles") == []
    (public,) = user.rows("listHSMProfiles", listall="true")
    assert (public["id"], "details" in public) == (profile, False)
    zone = client.one("listZones")["id"]
    key = user.one("createKMSKey", name="hers", zoneid=zone, hsmprofileid=profile)
    assert (key["account"], "keklabel" in key) == ("eve", False)
    assert user.refused("updateHSMProfile", id=profile, name="x")[0] in (401, 432, 531)


def test_keys_are_their_owners(client: Client, profile: str, owner: dict[str, str]) -> None:
    key = new_key(client, profile, owner)["id"]
    eve = signed_by(client, client.account("eve"))
    assert eve.rows("listKMSKeys", listall="true") == []
    assert eve.refused("updateKMSKey", id=key, name="x")[0] == 531


def deployed(client: Client, key: str, owner: dict[str, str]) -> dict[str, Any]:
    """The root disk of a new machine."""
    zone = client.one("listZones")["id"]
    isolated = client.one("listNetworkOfferings", name="DefaultIsolatedNetworkOfferingWithSourceNatService")["id"]
    network = client.one("createNetwork", name="n", displaytext="n", zoneid=zone, networkofferingid=isolated, **owner)
    template = next(
        row for row in client.rows("listTemplates", templatefilter="all") if row["templatetype"] == "BUILTIN"
    )
    machine = client.one(
        "deployVirtualMachine",
        zoneid=zone,
        networkids=network["id"],
        templateid=template["id"],
        serviceofferingid=client.rows("listServiceOfferings")[0]["id"],
        rootdiskkmskeyid=key,
        **owner,
    )
    return client.one("listVolumes", virtualmachineid=machine["id"], listall=True)


def test_a_root_disk_can_have_a_key(client: Client, profile: str, owner: dict[str, str]) -> None:
    key = new_key(client, profile, owner)["id"]
    volume = deployed(client, key, owner)
    assert (volume["kmskeyid"], volume["kmskey"], volume["kmskeyversion"]) == (key, "key", 1)
    assert [row["id"] for row in client.rows("listVolumes", kmskeyid=key, listall=True)] == [volume["id"]]
    code, text = client.refused("deleteKMSKey", id=key)
    assert (code, text.endswith("1 wrapped key(s) still reference this key")) == (431, True)


def test_a_data_disk_can_have_a_key(client: Client, profile: str, owner: dict[str, str]) -> None:
    key = new_key(client, profile, owner)["id"]
    disk = next(row for row in client.rows("listDiskOfferings") if not row["iscustomized"])["id"]
    given = {"name": "v", "diskofferingid": disk, "zoneid": client.one("listZones")["id"], "kmskeyid": key}
    assert client.one("createVolume", **given, **owner)["kmskeyid"] == key
    refused = SignedClient(client.simulator).refused("createVolume", **given)
    assert refused == (531, "KMS key does not belong to the volume owner account")
    assert client.refused("deleteKMSKey", id=key)[1].endswith("There are Volumes which still reference this key")


def test_encrypted_volumes_get_a_key_later(client: Client, profile: str, owner: dict[str, str]) -> None:
    key = new_key(client, profile, owner)["id"]
    volumes = []
    for name, encrypted in (("plain", False), ("secret", True)):
        disk = client.one("createDiskOffering", name=name, displaytext=name, disksize=1, encrypt=encrypted)["id"]
        zone = client.one("listZones")["id"]
        volumes.append(client.one("createVolume", name=name, diskofferingid=disk, zoneid=zone, **owner)["id"])
    client.run("migrateVolumesToKMS", kmskeyid=key, volumeids=",".join(volumes))
    assert [row["name"] for row in client.rows("listVolumes", kmskeyid=key, listall=True)] == ["secret"]


def test_an_account_takes_its_keys_with_it(client: Client, profile: str, owner: dict[str, str]) -> None:
    new_key(client, profile, owner)
    client.run("deleteAccount", id=client.one("listAccounts", name="bob", listall=True)["id"])
    assert client.rows("listKMSKeys", listall=True) == []
