"""Webhooks: events posted to a URL as they happen (WebhookApiServiceImpl, WebhookServiceImpl)."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cs_matrix_pytest.simulator.access import check_owner, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Domain
from cs_matrix_pytest.simulator.models.jobs import Event
from cs_matrix_pytest.simulator.models.webhooks import Webhook, WebhookDelivery, WebhookFilter
from cs_matrix_pytest.simulator.outbox import Outcome, Post, send
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import new_uuid
from cs_matrix_pytest.simulator.views import owner_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("webhooks")

SCOPES = {
    "Local": tuple(AccountType),
    "Domain": (AccountType.ADMIN, AccountType.DOMAIN_ADMIN),
    "Global": (AccountType.ADMIN,),
}
"""The types of accounts that may have a webhook of each scope."""
STATES = ("Enabled", "Disabled")
MODES = ("Include", "Exclude")
MATCHES: dict[str, Callable[[str, str], bool]] = {
    "Exact": str.__eq__,
    "Prefix": str.startswith,
    "Suffix": str.endswith,
    "Contains": str.__contains__,
}
"""How an event's type compares with a filter's value, by match type."""
TEST_EVENT = "TEST.WEBHOOK"
TEST_PAYLOAD = '{ "CloudStack": "works!" }'
SETTLE_SECONDS = 1.0
"""Simulated seconds after which a post has been answered."""
PATIENCE = 5.0
"""Seconds of the wall clock that simulated time waits for a post to be answered."""


def as_internal_errors(handler: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
    """Answer whatever the command refuses as error 530, as commands do that catch every runtime error themselves."""

    @wraps(handler)
    def guarded(call: Call) -> Answer:
        try:
            return handler(call)
        except ApiError as error:
            raise ApiError(error.text) from None

    return guarded


def given(call: Call, name: str) -> str | None:
    """A text that is more than blanks."""
    text: str = call.get(name, "")
    return text if text.strip() else None


def choice(call: Call, name: str, known: Any, shown: str | None = None) -> str | None:
    """One of the known words, in whatever case, that a parameter gives; None where it gives none."""
    wanted = call.get(name)
    if not wanted:
        return None
    found: str | None = next((word for word in known if word.lower() == wanted.lower()), None)
    if found is None:
        raise InvalidParameterValue(f"Invalid {shown or name} specified")
    return found


@family.view(Webhook)
def webhook_view(webhook: Webhook, call: Call) -> dict[str, Any]:
    domain = webhook.domain
    return {
        "id": webhook.id,
        "name": webhook.name,
        "description": webhook.description,
        "state": webhook.state,
        **owner_fields(webhook.account),
        "domainid": domain.id,
        "domain": domain.name,
        "domainpath": domain.path,
        "payloadurl": webhook.payload_url,
        "secretkey": webhook.secret_key,
        "sslverification": webhook.ssl_verification,
        "scope": webhook.scope,
        "created": when(webhook.created),
    }


@family.view(WebhookFilter)
def filter_view(row: WebhookFilter, call: Call) -> dict[str, Any]:
    return {
        "id": row.id,
        "webhookid": row.webhook.id,
        "webhookname": row.webhook.name,
        "type": "EventType",
        "mode": row.mode,
        "matchtype": row.match_type,
        "value": row.value,
        "created": when(row.created),
    }


@family.view(WebhookDelivery)
def delivery_view(delivery: WebhookDelivery, call: Call) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "eventid": delivery.event.id if delivery.event else None,
        "eventtype": delivery.event_type,
        "webhookid": delivery.webhook.id if delivery.webhook.number else None,
        "webhookname": delivery.webhook.name if delivery.webhook.number else None,
        "managementserverid": call.cloud.management_server_id,
        "managementservername": "localhost",
        "headers": delivery.headers,
        "payload": delivery.payload,
        "success": delivery.success,
        "response": delivery.response,
        "startdate": when(delivery.start),
        "enddate": when(delivery.end),
    }


# Webhooks


def check_scope(scope: str, owner: Account) -> None:
    """Raise InvalidParameterValue where an account of this type cannot have a webhook of the scope."""
    if owner.type not in SCOPES[scope]:
        raise InvalidParameterValue(f"Scope {scope} can not be specified for owner {owner.name}")


def payload_url(call: Call) -> str:
    """The request's URL; ``http`` where it names no scheme."""
    url: str = call.get("payloadurl", "")
    return url if not url.strip() or url.startswith(("http://", "https://")) else f"http://{url}"


def check_url(url: str) -> None:
    """Raise where a URL is none. Names are not looked up, and loopback is allowed here: receivers of events of a
    simulator are where it is itself."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ApiError(f"Invalid URL: {url}") from None
    if parts.scheme not in ("http", "https"):
        raise ApiError(f"Unsupported scheme for url: {url}")
    if port == 0 or not host or any(character.isspace() for character in url):
        raise ApiError(f"Invalid URL: {url}")


def check_url_unused(call: Call, owner: Account, url: str, current: Webhook | None = None) -> None:
    other = call.cloud.store.table(Webhook).first(account=owner, payload_url=url)
    if other is not None and other is not current:
        raise InvalidParameterValue(f"Payload URL: {url} is already in use by another webhook")


def check_ssl(wanted: bool, url: str, shown: str) -> None:
    if wanted and not url.lower().startswith("https:"):
        raise InvalidParameterValue(f"SSL verification can be specified only for HTTPS URLs, {shown}")


@family.command("createWebhook")
@as_internal_errors
def create_webhook(call: Call) -> Answer:
    owner, url, domain = owner_of_new(call), payload_url(call), call.maybe(Domain, "domainid")
    scope = choice(call, "scope", SCOPES) or "Local"
    if call.account.is_normal:
        scope = "Local"
    check_scope(scope, owner)
    state = choice(call, "state", STATES) or "Enabled"
    check_url(url)
    check_url_unused(call, owner, url)
    check_ssl(call.flag("sslverification"), url, url)
    if not len(call.cloud.store.table(Webhook)):
        keep_deliveries_few(call.cloud)
    return call.cloud.store.add(
        Webhook(
            account=owner,
            name=call["name"],
            description=call.get("description"),
            payload_url=url,
            state=state,
            scope=scope,
            of_domain=domain if scope == "Domain" else None,
            secret_key=call.get("secretkey"),
            ssl_verification=call.flag("sslverification"),
        )
    )


def of_caller(call: Call, name: str, missing: str) -> Webhook:
    """The live webhook of a parameter, which the caller may operate."""
    webhook = call.params.get(name)
    if not isinstance(webhook, Webhook) or webhook not in call.cloud.store:
        raise InvalidParameterValue(missing)
    check_owner(call.account, webhook.account)
    return webhook


@family.command("updateWebhook")
@as_internal_errors
def update_webhook(call: Call) -> Answer:
    webhook = of_caller(call, "id", "Unable to find the webhook with the specified ID")
    state, scope, url = choice(call, "state", STATES), choice(call, "scope", SCOPES), payload_url(call)
    if scope:
        check_scope(scope, webhook.account)
    if url:
        check_url(url)
        check_url_unused(call, webhook.account, url, webhook)
    check_ssl(call.flag("sslverification"), url or webhook.payload_url, url or "null")
    webhook.name = given(call, "name") or webhook.name
    webhook.description = call.get("description", webhook.description)
    webhook.state, webhook.scope = state or webhook.state, scope or webhook.scope
    webhook.payload_url = url or webhook.payload_url
    webhook.ssl_verification = call.flag("sslverification", webhook.ssl_verification)
    if "secretkey" in call:
        webhook.secret_key = given(call, "secretkey")
    return webhook


@family.command("deleteWebhook")
@as_internal_errors
def delete_webhook(call: Call) -> Answer:
    call.cloud.store.remove(of_caller(call, "id", "Unable to find the webhook with the specified ID"))
    return Success()


@family.on_account_removal
def remove_webhooks(cloud: Cloud, account: Account) -> None:
    for webhook in cloud.owned_by(Webhook, account):
        cloud.store.remove(webhook)


def _webhooks(call: Call) -> list[Webhook]:
    # What cannot be asked for is refused even where there is nothing to list.
    choice(call, "state", STATES)
    scope = choice(call, "scope", SCOPES)
    if scope and call.account.type not in SCOPES[scope]:
        raise InvalidParameterValue(f"Scope {scope} can not be specified")
    return list(call.cloud.store.table(Webhook))


family.listing("listWebhooks", Webhook, scope=Scope.OWNER, rows=_webhooks)


# Filters


def overlap(one: WebhookFilter, other: WebhookFilter) -> bool:
    """True where some type of event might match both."""
    for mine, yours in ((one, other), (other, one)):
        if mine.match_type == "Exact":
            return MATCHES[yours.match_type](mine.value.upper(), yours.value.upper())
    one_value, other_value = one.value.upper(), other.value.upper()
    if one.match_type == other.match_type == "Prefix":
        return one_value.startswith(other_value) or other_value.startswith(one_value)
    if one.match_type == other.match_type == "Suffix":
        return one_value.endswith(other_value) or other_value.endswith(one_value)
    return one_value in other_value or other_value in one_value


@family.command("addWebhookFilter")
@as_internal_errors
def add_filter(call: Call) -> Answer:
    webhook = of_caller(call, "webhookid", "Unable to find the webhook with the specified ID")
    new = WebhookFilter(
        webhook=webhook,
        value=call["value"],
        mode=choice(call, "mode", MODES) or "Include",
        match_type=choice(call, "matchtype", MATCHES, "match type") or "Exact",
    )
    for other in webhook.filters:
        same = (other.match_type, other.value.lower()) == (new.match_type, new.value.lower())
        if same if other.mode == new.mode else overlap(other, new):
            raise InvalidParameterValue(f"Conflicting Webhook filter exists ID: {other.number}")
    webhook.filters.append(call.cloud.store.add(new))
    # The command declares the fields of a webhook, but answers its filter.
    return {"webhookfilter": filter_view(new, call)}


def _filters(call: Call) -> list[WebhookFilter]:
    named, webhook = call.get("id"), call.get("webhookid")
    return [
        row
        for row in call.cloud.store.table(WebhookFilter)
        if (named is None or row is named) and (webhook is None or row.webhook is webhook)
    ]


@family.command("listWebhookFilters")
def list_filters(call: Call) -> Answer:
    return page(call, _filters(call))


@family.command("deleteWebhookFilter")
@as_internal_errors
def delete_filter(call: Call) -> Answer:
    rows = _filters(call)
    if rows:
        webhook = rows[0].webhook
        check_owner(call.account, webhook.account)
        for row in rows:
            if row.webhook is webhook:
                webhook.filters.remove(row)
                call.cloud.store.forget(row)
    return Success()


def wants(webhook: Webhook, event_type: str) -> bool:
    """True where the filters of a webhook let an event of this type through."""
    matching = [row for row in webhook.filters if MATCHES[row.match_type](event_type, row.value)]
    includes = any(row.mode == "Include" for row in webhook.filters)
    return all(row.mode == "Include" for row in matching) and (bool(matching) or not includes)


# Deliveries


def is_for(webhook: Webhook, event: Event) -> bool:
    """True where an event is of the account, or within the domain, that a webhook is for."""
    if webhook.state != "Enabled" or not wants(webhook, event.type):
        return False
    if webhook.scope == "Local":
        return event.account is webhook.account
    return webhook.scope == "Global" or webhook.domain.contains(event.account.domain)


@family.on_event
def deliver(cloud: Cloud, event: Event) -> None:
    """Post an event to every webhook that it is for."""
    webhooks = [webhook for webhook in cloud.store.table(Webhook) if is_for(webhook, event)]
    if not webhooks or not cloud.configuration.flag("publish.action.events", default=True):
        return
    payload = json.dumps(describe(cloud, event), separators=(",", ":"))
    for webhook in webhooks:
        webhook.outbox.put(_post(cloud, webhook, event.id, event.type, event.account, payload))
        if cloud.clock.is_virtual:
            cloud.clock.call_later(SETTLE_SECONDS, webhook.outbox.flush, PATIENCE)


def describe(cloud: Cloud, event: Event) -> dict[str, str]:
    """What of an event is posted (ActionEventUtils.publishOnEventBus)."""
    said = {
        "user": event.user.id,
        "account": event.account.id,
        "event": event.type,
        "status": event.state,
        "description": event.description,
        "eventDateTime": cloud.clock.datetime().strftime("%Y-%m-%d %H:%M:%S %z"),
    }
    if event.account.project is not None:
        said["project"] = event.account.project.id
    if event.resource is not None:
        said |= {"entity": event.resource_kind or type(event.resource).__name__, "entityuuid": event.resource.id}
    return said


def _post(cloud: Cloud, webhook: Webhook, event_id: str, kind: str, account: Account, payload: str) -> Post:
    return Post(
        url=webhook.payload_url,
        event_id=event_id,
        event_type=kind,
        account_id=account.id,
        payload=payload,
        queued=cloud.clock.datetime(),
        secret_key=webhook.secret_key,
        verify=webhook.ssl_verification,
        tries=int(cloud.configuration.number("webhook.delivery.tries", webhook.domain, default=3)),
        timeout=cloud.configuration.number("webhook.delivery.timeout", webhook.domain, default=10),
    )


def _delivery(cloud: Cloud, webhook: Webhook, post: Post, outcome: Outcome) -> WebhookDelivery:
    return WebhookDelivery(
        webhook=webhook,
        event=cloud.store.table(Event).get(post.event_id, removed=True),
        event_type=post.event_type,
        headers="\n".join(f"{name}: {value}" for name, value in post.headers().items()),
        payload=post.payload,
        success=outcome.success,
        response=outcome.response,
        start=post.queued,
        end=cloud.clock.datetime(),
    )


def deliveries(cloud: Cloud) -> list[WebhookDelivery]:
    """The deliveries of all webhooks, oldest first, with those that were sent meanwhile."""
    for webhook in cloud.store.table(Webhook):
        for post, outcome in webhook.outbox.take():
            cloud.store.add(_delivery(cloud, webhook, post, outcome))
    return [row for row in cloud.store.table(WebhookDelivery) if row.webhook in cloud.store]


@timed
def keep_deliveries_few(cloud: Cloud) -> None:
    """Every hour, forget all but the newest deliveries of each webhook; as long as there are webhooks."""
    if not len(cloud.store.table(Webhook)) and len(cloud.store.table(WebhookDelivery)):
        return
    limit = int(cloud.configuration.number("webhook.deliveries.limit", default=10))
    rows = deliveries(cloud)
    for webhook in cloud.store.table(Webhook):
        mine = [row for row in rows if row.webhook is webhook]
        for row in mine[: max(0, len(mine) - limit)]:
            cloud.store.forget(row)
    pause = cloud.configuration.number("webhook.deliveries.cleanup.interval", default=3600)
    cloud.clock.call_later(max(1.0, pause), keep_deliveries_few, cloud)


def _asked_for(call: Call) -> list[WebhookDelivery]:
    """The deliveries that a request's parameters name. Raises where the caller may not ask for them."""
    rows, start, end = deliveries(call.cloud), call.get("startdate"), call.get("enddate")
    one, server = call.get("id"), call.get("managementserverid")
    if "id" in call:
        if one not in rows:
            raise InvalidParameterValue("Invalid ID specified")
        check_owner(call.account, one.webhook.account)
    webhook = of_caller(call, "webhookid", "Invalid Webhook specified") if "webhookid" in call else None
    if start and end and end < start:
        raise InvalidParameterValue("Invalid enddate specified")
    if server is not None and not call.is_root_admin:
        raise PermissionDenied("Invalid parameter specified")
    return [
        row
        for row in rows
        if (one is None or row is one)
        and (webhook is None or row.webhook is webhook)
        and (server is None or server.id == call.cloud.management_server_id)
        and (start is None or row.start >= start)
        and (end is None or row.end <= end)
    ]


@family.command("listWebhookDeliveries")
def list_deliveries(call: Call) -> Answer:
    caller, keyword, kind = call.account, call.get("keyword"), call.get("eventtype")
    rows = [
        # The command declares the fields of a webhook, but answers its deliveries.
        delivery_view(row, call)
        for row in reversed(_asked_for(call))
        if (caller.is_root_admin or _sees(caller, row.webhook))
        and (not keyword or keyword.lower() in row.payload.lower())
        and (not kind or row.event_type == kind)
    ]
    return page(call, [{name: value for name, value in row.items() if value is not None} for row in rows])


def _sees(caller: Account, webhook: Webhook) -> bool:
    in_domain = caller.type == AccountType.DOMAIN_ADMIN and caller.domain.contains(webhook.domain)
    return webhook.account is caller or in_domain


@family.command("deleteWebhookDelivery")
@as_internal_errors
def delete_delivery(call: Call) -> Answer:
    for row in _asked_for(call):
        if call.is_root_admin or _sees(call.account, row.webhook):
            call.cloud.store.forget(row)
    return Success()


@family.command("executeWebhookDelivery")
@as_internal_errors
def execute_delivery(call: Call) -> Answer:
    cloud, url, named = call.cloud, payload_url(call), "webhookid" in call
    if not ("id" in call or named or url.strip()):
        raise InvalidParameterValue("One of the id, webhookid or payloadurl must be specified")
    if "id" in call and (named or url.strip()):
        raise InvalidParameterValue("id cannot be specified with webhookid or payloadurl")
    old = call.get("id")
    if old is not None and old not in deliveries(cloud):
        raise InvalidParameterValue("Invalid webhook delivery specified")
    if url.strip():
        check_url(url)
    known = of_caller(call, "webhookid", "Invalid webhook specified") if named else old.webhook if old else None
    if known is not None:
        check_owner(call.account, known.account)
    # What the request changes is for this delivery only.
    webhook = Webhook(
        account=known.account if known else call.account,
        id=known.id if known else new_uuid(),
        number=known.number if known else 0,
        name=known.name if known else "",
        payload_url=url or (known.payload_url if known else ""),
        secret_key=call.get("secretkey") or (known.secret_key if known else None),
        ssl_verification=call.flag("sslverification", known.ssl_verification if known else False),
    )
    payload = old.payload if old else given(call, "payload") or TEST_PAYLOAD
    event_id, kind = (old.event.id, old.event_type) if old and old.event else (new_uuid(), TEST_EVENT)
    post = _post(cloud, webhook, event_id, kind, old.event.account if old and old.event else webhook.account, payload)
    delivery = _delivery(cloud, known if old and known else webhook, post, send(post))
    return cloud.store.add(delivery) if old else delivery
