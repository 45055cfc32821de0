"""Keys for the encryption of volumes (KMSManagerImpl, DatabaseKMSProvider)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_owner, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families.hsm_profiles import (
    DATABASE,
    check_enabled,
    check_scope,
    check_use,
    profile_named,
)
from cs_matrix_pytest.simulator.models.iam import Account, AccountType
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.keys import HsmProfile, KmsKey
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.views import owner_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("KMS keys")

ALGORITHM = "AES/GCM/NoPadding"
BITS = (128, 192, 256)


@family.view(KmsKey)
def key_view(key: KmsKey, call: Call) -> dict[str, Any]:
    see_label = call.account.type in (AccountType.ADMIN, AccountType.RESOURCE_DOMAIN_ADMIN)
    return {
        "id": key.id,
        "name": key.name,
        "description": key.description,
        "algorithm": ALGORITHM,
        "keybits": key.bits,
        "enabled": key.enabled,
        "created": when(key.created),
        "version": key.version,
        "hsmprofileid": key.profile.id,
        "hsmprofile": key.profile.name,
        **owner_fields(key.account),
        "zoneid": key.zone.id,
        "zonename": key.zone.name,
        "keklabel": key.kek_label if see_label else None,
    }


def describe(key: KmsKey) -> str:
    """A key as error texts name it (KMSKeyVO.toString)."""
    return (
        f'KMSKey {{"accountId":{key.account.number},"enabled":{str(key.enabled).lower()},"id":{key.number},'
        f'"name":"{key.name}","purpose":"VOLUME_ENCRYPTION","uuid":"{key.id}","zoneId":{key.zone.number}}}'
    )


def check_reachable(profile: HsmProfile, bits: int, doing: str) -> None:
    """Raise ApiError where a key cannot be made: only the database keeps any, as no HSM's library is here."""
    if profile.protocol.lower() != DATABASE:
        library = profile.settings.get("library")
        raise ApiError(f"{doing}Unexpected error during PKCS#11 connection: Library {library} does not exist")
    if bits not in BITS:
        raise ApiError(f"{doing}Invalid parameter: Key size must be 128, 192, or 256 bits")


@family.command("createKMSKey")
def create(call: Call) -> Answer:
    if "domainid" in call and not call.get("account", "").strip():
        raise InvalidParameterValue("Account name must be provided with domain ID")
    owner, bits, name = owner_of_new(call), call.get("keybits", 256), call["name"]
    if bits not in BITS:
        raise InvalidParameterValue("Key bits must be 128, 192, or 256")
    profile = profile_named(call, "hsmprofileid")
    check_use(call.account, profile)
    check_scope(profile, owner)
    check_enabled(profile)
    if call.cloud.store.table(KmsKey).first(name=name, account=owner):
        raise InvalidParameterValue(f"A KMS key with name {name} already exists in this account")
    check_reachable(profile, bits, "Failed to create KMS key: ")
    return call.cloud.store.add(
        KmsKey(
            account=owner,
            name=name,
            description=call.get("description"),
            zone=call.one(Zone, "zoneid"),
            profile=profile,
            bits=bits,
        )
    )


family.listing(
    "listKMSKeys",
    KmsKey,
    scope=Scope.OWNER,
    keyword=("name", "description"),
    filters={"hsmprofileid": lambda key, profile, _call: key.profile is profile},
)


def key_of(call: Call, name: str = "id") -> KmsKey:
    """The live key of a parameter, which the caller may use."""
    key = call.get(name)
    if not isinstance(key, KmsKey) or key not in call.cloud.store:
        raise InvalidParameterValue(f"KMS key not found: {getattr(key, 'number', call.raw.get(name))}")
    check_owner(call.account, key.account)
    return key


@family.command("updateKMSKey")
def update(call: Call) -> Answer:
    key = key_of(call)
    key.name = call.get("name", key.name)
    key.description = call.get("description", key.description)
    key.enabled = call.flag("enabled", key.enabled)
    return key


@family.command("deleteKMSKey")
def delete(call: Call) -> Answer:
    key = key_of(call)
    used = call.cloud.store.table(Volume).where(kms_key=key)
    wrapped = [volume for volume in used if volume.pool is not None]
    if wrapped:
        raise InvalidParameterValue(
            f"Cannot delete KMS key: {describe(key)}. {len(wrapped)} wrapped key(s) still reference this key"
        )
    if used:
        raise InvalidParameterValue(
            f"Cannot delete KMS key: {describe(key)}. There are Volumes which still reference this key"
        )
    call.cloud.store.remove(key)
    return Success()


@family.command("rotateKMSKey")
def rotate(call: Call) -> Answer:
    key, profile = key_of(call), None
    if not key.enabled:
        raise InvalidParameterValue(f"KMS key is not enabled: {describe(key)}")
    if "hsmprofileid" in call:
        profile = profile_named(call, "hsmprofileid", "Target HSM Profile not found: {}")
        check_use(call.account, profile)
        check_scope(profile, key.account)
        check_enabled(profile)
    check_reachable(profile or key.profile, call.get("keybits", key.bits), "Failed to rotate KMS key: ")
    key.version += 1
    key.profile = profile or key.profile
    return Success()


# Volumes


@family.command("migrateVolumesToKMS")
def migrate_volumes(call: Call) -> Answer:
    if "domainid" in call and not call.get("account", "").strip():
        raise InvalidParameterValue("accountName must be specified when domainId is provided")
    key = key_of(call, "kmskeyid")
    if not key.enabled:
        raise InvalidParameterValue(f"KMS key is not enabled: {key.id}")
    check_enabled(key.profile)
    volumes = call.many(Volume, "volumeids")
    for volume in volumes:
        check_owner(call.account, volume.account)
    strange = [volume.id for volume in volumes if volume.account is not key.account]
    if strange:
        raise InvalidParameterValue(
            f"The following volumes do not belong to the same account as the KMS key: {', '.join(strange)}"
        )
    for volume in volumes:
        # Others have no passphrase that the key could wrap.
        if volume.disk_offering.encrypt and volume.kms_key is None:
            volume.kms_key = key
    return None


def key_for_volume(call: Call, name: str, owner: Account, zone: Zone) -> KmsKey | None:
    """The key of a parameter for a new volume of an owner (checkKmsKeyForVolumeEncryption)."""
    key = call.get(name)
    if key is None:
        return None
    if not isinstance(key, KmsKey) or key not in call.cloud.store:
        raise InvalidParameterValue(f"KMS key not found: {getattr(key, 'number', call.raw.get(name))}")
    if key.account is not owner:
        raise PermissionDenied("KMS key does not belong to the volume owner account")
    if key.zone is not zone:
        raise InvalidParameterValue(
            f"KMS key belongs to zone {key.zone.number} but the target resource is in zone {zone.number}"
        )
    if not key.enabled:
        raise InvalidParameterValue(f"KMS key is not enabled and cannot be used for volume encryption: {key.id}")
    return key


@family.on_account_removal
def remove_keys(cloud: Cloud, account: Account) -> None:
    for key in cloud.owned_by(KmsKey, account):
        cloud.store.remove(key)
