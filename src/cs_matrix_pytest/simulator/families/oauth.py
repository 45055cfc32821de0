"""OAuth providers, and logging in with them (OAuth2AuthManagerImpl). No provider is ever contacted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import Domain, User
from cs_matrix_pytest.simulator.models.logins import OauthProvider
from cs_matrix_pytest.simulator.parameters import NO_ID
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("OAuth")

OBJECT = "oauthprovider"
KEYCLOAK = "keycloak"
PLUGINS = ("google", "github", KEYCLOAK)
REFUSED = 531
BAD_REQUEST = 400


def is_on(cloud: Cloud, domain: Domain | None) -> bool:
    """True where users of a domain, or of any where it is None, may log in by OAuth."""
    return cloud.configuration.flag("oauth2.enabled", domain)


@family.view(OauthProvider)
def provider_view(provider: OauthProvider, call: Call) -> dict[str, Any]:
    domain = provider.domain
    return {
        "id": provider.id,
        "provider": provider.provider,
        "name": provider.provider,
        "description": provider.description,
        "clientid": provider.client_id,
        "secretkey": provider.secret_key,
        "redirecturi": provider.redirect_uri,
        "authorizeurl": provider.authorize_url,
        "tokenurl": provider.token_url,
        "domainid": domain.id if domain else None,
        "domain": domain.name if domain else None,
        "domainpath": domain.path if domain else None,
        "enabled": provider.enabled and provider.provider in PLUGINS and is_on(call.cloud, domain),
    }


def named_domain(call: Call) -> Domain | None:
    """The domain of ``domainid``, or of the path ``domain``; ROOT may be named too."""
    found = call.maybe(Domain, "domainid")
    path = call.get("domain", "").strip("/")
    if found is not None or not path:
        return found
    return call.cloud.store.table(Domain).first(lambda domain: domain.path == f"ROOT/{path}")


def scope_of(domain: Domain | None) -> Domain | None:
    """What is for ROOT is for every domain."""
    return None if domain is None or domain.parent is None else domain


@family.command("registerOauthProvider")
def register(call: Call) -> Answer:
    cloud, name = call.cloud, call["provider"]
    if name == KEYCLOAK:
        for parameter in ("authorizeurl", "tokenurl"):
            if not call.get(parameter, "").strip():
                raise ApiError(f"Parameter {parameter} is mandatory for keycloak OAuth Provider", code=BAD_REQUEST)
    domain = scope_of(named_domain(call))
    if not is_on(cloud, domain):
        raise InternalError("OAuth is not enabled, please enable to register")
    if cloud.store.table(OauthProvider).first(provider=name, domain=domain):
        if domain is None:
            raise InternalError(f"Global provider with the name {name} is already registered")
        raise InternalError(f"Provider with the name {name} is already registered for domain {domain.number}")
    provider = cloud.store.add(
        OauthProvider(
            provider=name,
            description=call["description"],
            client_id=call["clientid"].strip(),
            secret_key=call["secretkey"].strip(),
            redirect_uri=call["redirecturi"].strip(),
            domain=domain,
            authorize_url=call.get("authorizeurl"),
            token_url=call.get("tokenurl"),
        )
    )
    shown = {key: value for key, value in provider_view(provider, call).items() if value is not None}
    # Registering tells nothing of what is enabled.
    return {OBJECT: shown | {"enabled": False}}


@family.command("updateOauthProvider", object_name=OBJECT)
def update(call: Call) -> Answer:
    cloud, provider = call.cloud, call.get("id")
    if not isinstance(provider, OauthProvider) or provider not in cloud.store:
        raise InternalError("Provider with the given id is not there")
    domain = provider.domain
    if "domainid" in call or call.get("domain"):
        found = named_domain(call)
        if found is None:
            raise InternalError("Unable to resolve the supplied domain. Provide a valid domain id or path.")
        domain = scope_of(found)
        other = cloud.store.table(OauthProvider).first(provider=provider.provider, domain=domain)
        if other is not None and other is not provider:
            where = domain.number if domain else "ROOT (global)"
            raise InternalError(f"Provider with the name {provider.provider} is already registered for domain {where}")
    if call.flag("enabled") and not is_on(cloud, domain):
        where = "for this domain" if domain else "globally"
        raise InternalError(
            f"OAuth plugin is not enabled {where}. Enable oauth2.enabled at that scope before enabling this provider."
        )
    provider.description = call.get("description") or provider.description
    provider.client_id = call.get("clientid", "").strip() or provider.client_id
    provider.secret_key = call.get("secretkey", "").strip() or provider.secret_key
    provider.redirect_uri = call.get("redirecturi", "").strip() or provider.redirect_uri
    provider.authorize_url = call.get("authorizeurl", "").strip() or provider.authorize_url
    provider.token_url = call.get("tokenurl", "").strip() or provider.token_url
    provider.enabled = call.flag("enabled", provider.enabled)
    provider.domain = domain
    return provider


@family.command("deleteOauthProvider")
def delete(call: Call) -> Answer:
    provider = call.get("id")
    if not isinstance(provider, OauthProvider) or provider not in call.cloud.store:
        raise ApiError("Failed to delete the OAuth provider")
    call.cloud.store.forget(provider)
    return Success()


@family.command("listOauthProvider", object_name=OBJECT)
def list_providers(call: Call) -> Answer:
    """Those of a domain where one is named; else those for every domain, to somebody logged in the others too."""
    rows = list(call.cloud.store.table(OauthProvider))
    everywhere, asked = call.get("domainid") == NO_ID, bool(call.get("domainid") or call.get("domain"))
    domain, anonymous = named_domain(call), call.account is call.cloud.system_account
    if asked and domain is None and not everywhere:
        return []
    if "id" in call:
        shown = [row for row in rows if row is call["id"]]
    elif call.get("provider", "").strip():
        shown = [row for row in rows if row.provider == call["provider"] and row.domain is scope_of(domain)]
    else:
        shown = [row for row in rows if domain is None or row.domain in (None, domain)]
    if domain is not None:
        shown = [row for row in shown if row.domain is not None]
    elif everywhere or anonymous:
        shown = [row for row in shown if row.domain is None]
    hidden = 0
    if not asked and anonymous:
        # They are counted all the same, so that the login page knows that there are some.
        hidden = sum(row.domain is not None and bool(provider_view(row, call)["enabled"]) for row in rows)
    listed = page(call, shown)
    return Listing(listed.rows, len(shown) + hidden)


@family.command("oauthlogin")
def login(call: Call) -> Answer:
    if not (call.get("provider") and call.get("email") and call.get("secretcode")):
        raise ApiError("OAuth provider, email, secretCode any of these cannot be null", code=REFUSED)
    domains = call.cloud.store.table(Domain)
    path, number = call.get("domain", "").strip("/"), call.get("domainid")
    domain = domains.by_number(int(number)) if number is not None else None
    if domain is None:
        domain = domains.first(lambda row: row.path == (f"ROOT/{path}" if path else "ROOT"))
    if not is_on(call.cloud, scope_of(domain)):
        # Without a domain the name of ROOT is looked for, and found.
        where = "globally" if domain is None else "for this domain"
        raise ApiError(f"OAuth login is not enabled {where}. Please contact your administrator.", code=REFUSED)
    if domain is None:
        raise ApiError(f"Unable to find the domain from the path /{path}/", code=REFUSED)
    users = call.cloud.store.table(User).where(
        lambda user: user.email == call["email"] and user.account.domain is domain and user.state == "enabled"
    )
    if len(users) != 1:
        raise ApiError(
            "Multiple Users found in CloudStack. If user belongs to any specific domain, please provide it."
            if users
            else "User not found in CloudStack to login. If user belongs to any domain, please provide it.",
            code=REFUSED,
        )
    raise ApiError(
        f"Failed to authenticate user {users[0].username} in domain {domain.number}; please provide valid credentials",
        code=REFUSED,
    )


@family.command("verifyOAuthCodeAndGetUser")
def verify(call: Call) -> Answer:
    name = call["provider"]
    if name.lower() not in PLUGINS:
        raise InternalError(f"Failed to find OAuth2 authentication provider by the name: {name}.")
    domain = scope_of(named_domain(call))
    registered = call.cloud.store.table(OauthProvider).where(lambda row: row.domain in (domain, None))
    if not any(row.provider == name for row in registered):
        raise ApiError(
            'Cannot invoke "org.apache.cloudstack.oauth2.vo.OauthProviderVO.getClientId()" because "provider" is null'
        )
    raise ApiError("Unable to verify the code provided")


@family.on_domain_removal
def remove_providers(cloud: Cloud, domain: Domain) -> None:
    for provider in cloud.store.table(OauthProvider).where(domain=domain):
        cloud.store.forget(provider)
