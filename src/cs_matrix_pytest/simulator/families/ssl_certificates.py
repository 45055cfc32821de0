"""SSL certificates: uploaded, listed, and bound to load balancer rules (CertServiceImpl, LoadBalancingRulesManagerImpl)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_access, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families import load_balancers
from cs_matrix_pytest.simulator.families.network_capabilities import of_offering
from cs_matrix_pytest.simulator.models.iam import Account, Project
from cs_matrix_pytest.simulator.models.networks import LoadBalancerRule, SslCertificate
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.views import owner_fields
from cs_matrix_pytest.simulator.x509 import check_pair

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("SSL certificates")


def rules_with(cloud: Cloud, certificate: SslCertificate) -> list[LoadBalancerRule]:
    """The load balancer rules that answer with a certificate."""
    return cloud.store.table(LoadBalancerRule).where(certificate=certificate)


@family.view(SslCertificate)
def certificate_view(certificate: SslCertificate, call: Call) -> dict[str, Any]:
    shown = owner_fields(certificate.account)
    del shown["domainpath"]
    rules = rules_with(call.cloud, certificate)
    return {
        "id": certificate.id,
        "name": certificate.name,
        **shown,
        # The server names the account of a project as well as the project.
        "account": certificate.account.name,
        "certificate": certificate.certificate,
        "certchain": certificate.chain,
        "fingerprint": certificate.fingerprint,
        "loadbalancerrulelist": [rule.id for rule in rules] or None,
    }


@family.command("uploadSslCert")
def upload_certificate(call: Call) -> Answer:
    cloud, chain = call.cloud, call.get("certchain")
    try:
        fingerprint = check_pair(
            call["certificate"],
            call["privatekey"],
            call.get("password"),
            chain,
            now=cloud.clock.datetime(),
            revocation=call.flag("enabledrevocationcheck", True),
        )
        named = ("account" in call and "domainid" in call) or "projectid" in call
        owner = owner_of_new(call) if named else call.account
    except ApiError as refusal:
        # UploadSslCertCmd has one code for whatever is wrong.
        raise ApiError(refusal.text) from None
    return cloud.store.add(
        SslCertificate(
            account=owner,
            name=call["name"],
            certificate=call["certificate"],
            fingerprint=fingerprint,
            chain=chain,
        )
    )


@family.command("deleteSslCert")
def delete_certificate(call: Call) -> Answer:
    certificate = call.one(SslCertificate, missing="Invalid certificate id: {}", error=InternalError)
    check_certificate(call, certificate)
    rules = rules_with(call.cloud, certificate)
    if rules:
        names = "".join(f"{rule.name} " for rule in rules)
        raise InternalError(f"Certificate in use by a loadbalancer(s) {names}")
    call.cloud.store.remove(certificate)
    return Success()


def check_certificate(call: Call, resource: SslCertificate | LoadBalancerRule) -> None:
    """Raise where the caller may not use it, as these commands do: any other error to them."""
    try:
        check_access(call.cloud, call.account, resource)
    except ApiError as refusal:
        raise InternalError(refusal.text) from None


@family.command("listSslCerts")
def list_certificates(call: Call) -> Answer:
    if not any(name in call for name in ("certid", "accountid", "lbruleid", "projectid")):
        raise InternalError(
            "Invalid parameters either certificate ID or Account ID or Loadbalancer ID or Project ID required"
        )
    if "certid" in call:
        found = [call.one(SslCertificate, "certid", missing="Invalid certificate id: {}", error=InternalError)]
        check_certificate(call, found[0])
        return found
    if "lbruleid" in call:
        rule = call.one(LoadBalancerRule, "lbruleid", missing="Found no loadbalancer with id: {}", error=InternalError)
        check_certificate(call, rule)
        return [rule.certificate] if rule.certificate is not None else []
    if "projectid" in call:
        project = call.one(Project, "projectid", missing="Found no project with id: {}", error=InternalError)
        owner: Any = project.account
    else:
        owner = call.maybe(Account, "accountid")
    found = call.cloud.store.table(SslCertificate).where(account=owner)
    if found:
        check_certificate(call, found[0])
    return found


def rule_named(call: Call, refusal: str) -> LoadBalancerRule:
    return call.one(LoadBalancerRule, "lbruleid", missing=refusal)


@family.command("assignCertToLoadBalancer")
def assign_certificate(call: Call) -> Answer:
    rule = rule_named(call, "Invalid load balancer id: {}")
    certificate = call.one(SslCertificate, "certid", missing="Invalid certificate id: {}")
    check_access(call.cloud, call.account, rule)
    if rule.account is not certificate.account:
        raise InvalidParameterValue(f"Access denied for Account {certificate.account.number}")
    if "SslTermination" not in of_offering(rule.network.offering, "Lb"):
        raise InvalidParameterValue("Ssl termination not supported by the loadbalancer")
    if rule.certificate is not None and not call.flag("forced"):
        raise InvalidParameterValue("Another certificate is already bound to the LB")
    rule.certificate = None
    if rule.lb_protocol != "ssl":
        raise InvalidParameterValue(f"Bad LB protocol: Expected ssl got {rule.lb_protocol or 'null'}")
    rule.certificate = certificate
    load_balancers.settle(rule)
    return Success()


@family.command("removeCertFromLoadBalancer")
def remove_certificate(call: Call) -> Answer:
    rule = rule_named(call, "Invalid load balancer value: {}")
    if rule.certificate is None:
        raise InvalidParameterValue(f"No certificate is bound to lb with id: {rule.number}")
    check_access(call.cloud, call.account, rule)
    rule.certificate = None
    load_balancers.settle(rule)
    return Success()


@family.on_account_removal
def remove_certificates(cloud: Cloud, account: Account) -> None:
    """Remove an account's certificates; its load balancer rules are gone already."""
    for certificate in cloud.store.table(SslCertificate).where(account=account):
        cloud.store.remove(certificate)
