"""What the command line says of a source: the facts that the source itself does not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

from cs_matrix_pytest.environments.model import NETWORKING, STORAGE_SCOPES, Context, Hypervisor, Storage
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.outcomes.model import RunEnvironment
from cs_matrix_pytest.outcomes.record import instant

UNKNOWN = "unknown"

_ZONE = re.compile(r"\s?(?:Z|UTC|GMT|(?P<hours>[+-]\d\d)(?::?(?P<minutes>\d\d))?)\Z", re.IGNORECASE)
_FRACTION = re.compile(r"[.,](\d+)")

_VALUES: Mapping[str, tuple[str, ...]] = {
    "hypervisor.type": (),
    "hypervisor.version": (),
    "networking": NETWORKING,
    "storage.scope": STORAGE_SCOPES,
    "storage.protocol": (),
    "management_os": (),
    "extras": (),
}
"""The keys of a context, each with the values that it can have; empty: any."""

CONTEXT_KEYS = tuple(_VALUES)


@dataclass(frozen=True)
class Stated:
    """The options of ``cs-matrix import`` that say what a source does not.

    ``context`` goes from CONTEXT_KEYS to text (``extras`` with commas). None and what is missing: not stated.
    """

    environment: str | None = None
    acs_version: str | None = None
    commit: str | None = None
    lab: str | None = None
    started: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)

    def name_of(self, said: str | None = None) -> str:
        """An environment's name: what the source says, else what is stated, else ``unknown``."""
        return said or self.environment or UNKNOWN

    def environment_of(
        self,
        said: Mapping[str, str] | None = None,
        acs_version: str | None = None,
        commit: str | None = None,
    ) -> RunEnvironment:
        """An environment of a run: each fact as the source says it, else as stated, else unknown."""
        return RunEnvironment(
            context=context_of({**self.context, **(said or {})}).as_dict(),
            acs_version=acs_version or self.acs_version,
            acs_commit=commit or self.commit,
        )


def read_context(written: list[str]) -> dict[str, str]:
    """``KEY=VALUE`` words as a mapping for `Stated.context`. Raises UserError: no such key, or no such value."""
    context: dict[str, str] = {}
    for word in written:
        key, equals, value = (part.strip() for part in word.partition("="))
        if not equals or not value:
            raise UserError(f"--context {word}: not KEY=VALUE", hint=f"The keys: {', '.join(CONTEXT_KEYS)}.")
        if key not in _VALUES:
            raise UserError(f"--context: {key} is not a key of a context", hint=_near(key, CONTEXT_KEYS))
        if _VALUES[key] and value not in _VALUES[key]:
            raise UserError(f"--context {key}: {value} is not a value of it", hint=_near(value, _VALUES[key]))
        if context.setdefault(key, value) != value:
            raise UserError(f"--context {key}: given twice, as {context[key]} and as {value}")
    return context


def read_moment(written: str) -> str:
    """An ISO 8601 time (UTC unless it says its zone) as records carry it. Raises UserError."""
    moment = moment_of(written)
    if moment is None:
        raise UserError(f"--started {written}: not a time", hint="Write it as 2026-01-31T08:00:00Z.")
    return moment


def moment_of(written: str) -> str | None:
    """An ISO 8601 time (UTC unless it says its zone) as records carry it; None where it is none."""
    text = written.strip()
    # A date alone ends as a zone does.
    if ":" in text or text[-1:] in ("Z", "z"):
        text = _ZONE.sub(lambda zone: f"{zone['hours']}:{zone['minutes'] or '00'}" if zone["hours"] else "+00:00", text)
    # Python 3.10 takes fractions of three or six digits only.
    text = _FRACTION.sub(lambda fraction: f".{fraction[1]:0<6.6}", text)
    try:
        moment = datetime.fromisoformat(text)
        return instant(moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc))
    except (ValueError, OverflowError):
        return None


def context_of(facts: Mapping[str, str]) -> Context:
    """A context from flat facts (CONTEXT_KEYS); what is missing is unknown."""
    extras = (extra.strip() for extra in facts.get("extras", "").split(","))
    return Context(
        hypervisor=Hypervisor(facts.get("hypervisor.type", UNKNOWN).lower(), facts.get("hypervisor.version")),
        networking=facts.get("networking", UNKNOWN),
        storage=Storage(facts.get("storage.scope", UNKNOWN), facts.get("storage.protocol")),
        management_os=facts.get("management_os"),
        extras=tuple(sorted({extra for extra in extras if extra})),
    )


def _near(word: str, words: tuple[str, ...]) -> str:
    from cs_matrix_pytest.environments.validation import near

    return near(word, list(words)) or f"Known: {', '.join(words)}."
