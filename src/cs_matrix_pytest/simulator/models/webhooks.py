"""Webhooks: where events are posted to, which of them, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Domain, Owned
from cs_matrix_pytest.simulator.models.jobs import Event
from cs_matrix_pytest.simulator.outbox import Outbox
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class Webhook(Owned):
    entities: ClassVar[tuple[str, ...]] = ("WebhookResponse",)
    label: ClassVar[str] = "webhook"

    name: str
    payload_url: str
    description: str | None = None
    state: str = "Enabled"
    scope: str = "Local"
    """``Local``: events of its account; ``Domain``: of its domain and those below; ``Global``: all."""
    of_domain: Domain | None = None
    """The domain that a webhook of scope ``Domain`` is for, where it is not the owner's."""
    secret_key: str | None = None
    ssl_verification: bool = False
    filters: list[WebhookFilter] = field(default_factory=list)
    outbox: Outbox = field(default_factory=Outbox)

    @property
    def domain(self) -> Domain:
        return self.of_domain or self.account.domain


@dataclass(eq=False, kw_only=True, repr=False)
class WebhookFilter(Resource):
    """Which events, by type, a webhook is (or is not) for."""

    # listWebhookFilters declares its id as one of a delivery.
    entities: ClassVar[tuple[str, ...]] = ("WebhookFilterResponse", "WebhookDeliveryResponse")
    label: ClassVar[str] = "webhook filter"

    webhook: Webhook
    value: str
    mode: str = "Include"
    match_type: str = "Exact"


@dataclass(eq=False, kw_only=True, repr=False)
class WebhookDelivery(Resource):
    """One event that was posted, or could not be."""

    entities: ClassVar[tuple[str, ...]] = ("WebhookDeliveryResponse",)
    label: ClassVar[str] = "webhook delivery"

    webhook: Webhook
    event: Event | None
    event_type: str
    headers: str
    payload: str
    success: bool
    response: str
    start: datetime
    end: datetime
