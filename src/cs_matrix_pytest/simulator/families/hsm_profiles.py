"""HSM profiles: where keys are kept (KMSManagerImpl). The database's profile is there from the start, disabled."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_owner, owner_of_new, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.keys import HsmProfile, KmsKey
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.views import owner_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("HSM profiles")

DATABASE, PKCS11 = PROTOCOLS = ("database", "pkcs11")


@family.on_fresh_install
def default_profile(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    for row in fresh["lists"]["listHSMProfiles"]["hsmprofile"]:
        cloud.store.add(
            HsmProfile(
                name=row["name"],
                protocol=row["protocol"],
                account=cloud.system_account,
                domain=cloud.system_account.domain,
                enabled=row["enabled"],
                is_public=row["ispublic"],
            )
        )


@family.view(HsmProfile)
def profile_view(profile: HsmProfile, call: Call) -> dict[str, Any]:
    domain, zone = profile.domain, profile.zone
    owner = {"domainid": domain.id, "domain": domain.name, "domainpath": domain.path}
    limited = (
        call.command.lists and profile.is_public and not call.is_root_admin and profile.account is not call.account
    )
    return {
        "id": profile.id,
        "name": profile.name,
        "vendor": profile.vendor,
        "ispublic": profile.is_public,
        "zoneid": zone.id if zone else None,
        "zonename": zone.name if zone else None,
        "protocol": profile.protocol,
        "enabled": profile.enabled,
        "created": when(profile.created),
        **(owner_fields(profile.account) if profile.account else owner),
        "details": None if limited else dict(profile.settings),
    }


def is_secret(name: str) -> bool:
    return name.lower() in ("pin", "password", "private_key") or "secret" in name.lower()


def check_settings(settings: dict[str, str]) -> None:
    """Raise ApiError for what no PKCS#11 library can be found by (PKCS11HSMProvider.validateProfileConfig)."""
    problem = _problem_of(settings)
    if problem:
        raise ApiError(f"Invalid parameter: {problem}")


def _problem_of(settings: dict[str, str]) -> str | None:
    if not settings.get("library", "").strip():
        return "library is required for PKCS#11 HSM profile"
    if not any(settings.get(name, "").strip() for name in ("slot", "slot_list_index", "token_label")):
        return "One of 'slot', 'slot_list_index', or 'token_label' is required for PKCS#11 HSM profile"
    least = {
        "slot": (None, ""),
        "slot_list_index": (0, "slot_list_index must be a non-negative integer"),
        "max_sessions": (1, "max_sessions must be greater than 0"),
    }
    for name, (lowest, text) in least.items():
        value = settings.get(name, "").strip()
        if not value:
            continue
        try:
            number = int(value)
        except ValueError:
            return f"{name} must be a valid integer: {value}"
        if lowest is not None and number < lowest:
            return text
    return None


@family.command("createHSMProfile")
def create(call: Call) -> Answer:
    protocol, settings, public = call.get("protocol", "").strip() or PKCS11, call.map("details"), call.flag("ispublic")
    if protocol.lower() not in PROTOCOLS:
        raise InvalidParameterValue(f"No provider found for protocol: {protocol}")
    if protocol.lower() == PKCS11:
        check_settings(settings)
    if public and not call.is_root_admin:
        raise PermissionDenied("Only root admins can create system HSM profiles")
    account: Account | None = None
    if call.get("account", "").strip() or "projectid" in call or "domainid" not in call:
        account = owner_of_new(call)
    return call.cloud.store.add(
        HsmProfile(
            name=call["name"],
            protocol=protocol,
            account=account,
            domain=account.domain if account else call.one(Domain, "domainid"),
            zone=call.maybe(Zone, "zoneid"),
            vendor=call.get("vendorname"),
            is_public=public,
            settings={name: sealed() if is_secret(name) else value for name, value in settings.items()},
        )
    )


def sealed() -> str:
    """What is shown of a secret: text like that of an encrypted one, which it is not made of."""
    return base64.b64encode(secrets.token_bytes(48)).decode()


def visible(call: Call) -> list[HsmProfile]:
    """The profiles that a caller is shown: their own, those of their domain, and with ``listall`` the public ones."""
    scope, caller, everything = scoping(call), call.account, call.flag("listall")

    def owned(profile: HsmProfile) -> bool:
        if profile.account is not None:
            return scope.admits(profile.account)
        if scope.accounts:
            return False
        if scope.domain is None:
            return True
        return scope.domain.contains(profile.domain) if scope.recursive else scope.domain is profile.domain

    def shown(profile: HsmProfile) -> bool:
        if caller.is_root_admin:
            return owned(profile)
        shared = profile.account is None and profile.domain is caller.domain
        return owned(profile) or shared or (everything and profile.is_public)

    return [profile for profile in call.cloud.store.table(HsmProfile) if shown(profile)]


@family.command("listHSMProfiles")
def list_profiles(call: Call) -> Answer:
    wanted = {name: call.get(name) for name in ("id", "zoneid", "protocol", "enabled", "ispublic")}
    keyword = call.get("keyword", "").lower()

    def fits(profile: HsmProfile) -> bool:
        mine = {
            "id": profile,
            "zoneid": profile.zone,
            "protocol": profile.protocol,
            "enabled": profile.enabled,
            "ispublic": profile.is_public,
        }
        return all(value is None or mine[name] == value for name, value in wanted.items())

    return page(call, [row for row in visible(call) if fits(row) and keyword in row.name.lower()])


def profile_named(call: Call, name: str, text: str = "HSM Profile not found: {}") -> HsmProfile:
    """The live profile of a parameter."""
    profile = call.get(name)
    if not isinstance(profile, HsmProfile) or profile not in call.cloud.store:
        raise InvalidParameterValue(text.format(getattr(profile, "number", call.raw.get(name))))
    return profile


def check_use(caller: Account, profile: HsmProfile, *, modify: bool = False) -> None:
    """Raise PermissionDenied unless a caller may use, or change, a profile."""
    if profile.is_public:
        if modify and not caller.is_root_admin:
            raise PermissionDenied("Only root admins can modify system HSM profiles")
    elif profile.account is None:
        if modify and not caller.is_root_admin:
            raise PermissionDenied("Only root admins can modify domain-scoped HSM profiles")
        if not caller.is_root_admin and caller.domain is not profile.domain:
            raise PermissionDenied("Access denied to HSM profile")
    else:
        check_owner(caller, profile.account)


def check_scope(profile: HsmProfile, owner: Account) -> None:
    """Raise InvalidParameterValue unless the keys of an owner can be kept by a profile, whoever asks."""
    if profile.is_public:
        return
    if profile.account is None and owner.domain is not profile.domain:
        raise InvalidParameterValue(
            f"HSM profile '{profile.name}' is domain-scoped and can only be used by accounts in its domain"
        )
    if profile.account is not None and profile.account is not owner:
        raise InvalidParameterValue(
            f"HSM profile '{profile.name}' is owned by another account and cannot be used for this key's owner"
        )


def check_enabled(profile: HsmProfile) -> None:
    if not profile.enabled:
        raise InvalidParameterValue(f"HSM profile is not enabled: {profile.name}")


@family.command("updateHSMProfile")
def update(call: Call) -> Answer:
    profile = profile_named(call, "id")
    check_use(call.account, profile, modify=True)
    profile.name = call.get("name", profile.name)
    profile.enabled = call.flag("enabled", profile.enabled)
    return profile


@family.command("deleteHSMProfile")
def delete(call: Call) -> Answer:
    profile = profile_named(call, "id")
    check_use(call.account, profile, modify=True)
    if profile.protocol == DATABASE and profile.account is call.cloud.system_account:
        raise InvalidParameterValue("Default database HSM profile cannot be deleted")
    keys = call.cloud.store.table(KmsKey).where(profile=profile)
    if keys:
        raise InvalidParameterValue(
            f"Cannot delete HSM profile '{profile.name}': it is referenced by {len(keys)} KMS key(s). Please delete or "
            "reassign those keys first."
        )
    call.cloud.store.remove(profile)
    return Success()


@family.on_account_removal
def remove_profiles(cloud: Cloud, account: Account) -> None:
    for profile in cloud.store.table(HsmProfile).where(account=account):
        cloud.store.remove(profile)


@family.on_domain_removal
def remove_profiles_of_domain(cloud: Cloud, domain: Domain) -> None:
    for profile in cloud.store.table(HsmProfile).where(domain=domain):
        cloud.store.remove(profile)
