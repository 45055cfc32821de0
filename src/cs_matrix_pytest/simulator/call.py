"""One API request, as handlers see it: who asks what of which cloud."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.metadata import Command
from cs_matrix_pytest.simulator.models.iam import Account, User
from cs_matrix_pytest.simulator.parameters import NO_ID, UnknownNumber, map_entries, plain_map, shown_name
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud
    from cs_matrix_pytest.simulator.models.jobs import Event, Job

R = TypeVar("R", bound=Resource)

METHOD = "httpmethod"
"""What a request's method is called among its parameters, as the server puts it there."""


@dataclass(frozen=True)
class Caller:
    """The user on whose behalf a command runs; SYSTEM on the integration port."""

    user: User
    remote: str = "127.0.0.1"
    keys: str | None = None
    """The API key that signed the request, if one did."""

    @property
    def account(self) -> Account:
        return self.user.account


@dataclass
class Call:
    """A command with its parsed parameters. ``params`` has lower-case names; ids are resources already."""

    cloud: Cloud
    command: Command
    caller: Caller
    params: dict[str, Any]
    raw: dict[str, str] = field(default_factory=dict)
    job: Job | None = None
    start_event: Event | None = None
    """The first event of this command, which its later ones name as their parent."""

    @property
    def account(self) -> Account:
        """The caller's account."""
        return self.caller.account

    @property
    def is_root_admin(self) -> bool:
        return self.caller.account.is_root_admin

    @property
    def method(self) -> str:
        """How the request came; what CloudStack asks of itself is a POST."""
        return self.raw.get(METHOD, "POST").upper()

    def __contains__(self, name: str) -> bool:
        return self.params.get(name) is not None

    def __getitem__(self, name: str) -> Any:
        """A required parameter's value. Raises ParameterError where the metadata does not require it and it is absent."""
        if name not in self.params:
            shown = shown_name(self.command)
            raise ParameterError(f"Unable to execute API command {shown} due to missing parameter {name}")
        return self.params[name]

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter's value, or ``default`` where the request has none."""
        value = self.params.get(name)
        return default if value is None else value

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean parameter."""
        return bool(self.get(name, default))

    def maybe(
        self, kind: type[R], name: str, *, missing: str = "", error: type[ApiError] = InvalidParameterValue
    ) -> R | None:
        """The live resource that an id parameter names, None where it is absent or -1.

        Raises ``error`` where what it names is gone, or is of another class; ``missing`` is its text, ``{}`` in it the
        internal number.
        """
        value = self.params.get(name)
        if value is None or value == NO_ID:
            return None
        if isinstance(value, kind) and value in self.cloud.store:
            return value
        if missing:
            raise error(missing.format(getattr(value, "number", value)))
        shown = value.number if isinstance(value, UnknownNumber) else getattr(value, "id", value)
        raise error(f"Unable to find {kind.label} by id {shown}")

    def one(
        self, kind: type[R], name: str = "id", *, missing: str = "", error: type[ApiError] = InvalidParameterValue
    ) -> R:
        """The live resource that an id parameter must name; ``missing`` and ``error`` as for `maybe`."""
        found = self.maybe(kind, name, missing=missing, error=error)
        if found is None:
            given = self.raw.get(name, "null" if missing else "")
            raise error(missing.format(given) if missing else f"Unable to find {kind.label} by id {given}")
        return found

    def many(self, kind: type[R], name: str) -> list[R]:
        """The live resources that a list of ids names."""
        rows = []
        for value in self.params.get(name) or ():
            if not isinstance(value, kind) or value not in self.cloud.store:
                raise InvalidParameterValue(f"Unable to find {kind.label} by id {getattr(value, 'id', value)}")
            rows.append(value)
        return rows

    def entries(self, name: str) -> list[dict[str, str]]:
        """The entries of a map parameter, in order."""
        return map_entries(self.params.get(name))

    def map(self, name: str) -> dict[str, str]:
        """A map parameter as one dict."""
        return plain_map(self.params.get(name))
