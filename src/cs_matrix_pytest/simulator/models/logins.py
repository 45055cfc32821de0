"""What accounts of other systems can log in with: OAuth providers, groups of an LDAP directory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Domain
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class OauthProvider(Resource):
    entities: ClassVar[tuple[str, ...]] = ("OauthProviderResponse",)
    label: ClassVar[str] = "OAuth provider"

    provider: str
    """``google``, ``github``, ``keycloak`` or any other name."""
    description: str
    client_id: str
    secret_key: str
    redirect_uri: str
    domain: Domain | None = None
    """None: for every domain."""
    authorize_url: str | None = None
    token_url: str | None = None
    enabled: bool = True


@dataclass(eq=False, kw_only=True, repr=False)
class LdapLink(Resource):
    """A group or an organisational unit whose users are those of a domain, or of an account in it."""

    label: ClassVar[str] = "link to LDAP"

    domain: Domain
    type: str
    """``GROUP`` or ``OU``."""
    name: str
    account_type: AccountType
    account: Account | None = None
