"""How families add behaviour to the metadata: handlers, views, lists, what a fresh install holds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.call import Call
    from cs_matrix_pytest.simulator.cloud import Cloud
    from cs_matrix_pytest.simulator.models.iam import Account, Domain
    from cs_matrix_pytest.simulator.models.jobs import Event

R = TypeVar("R", bound=Resource)
F = TypeVar("F", bound=Callable[..., Any])
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Success:
    """``{"success": true}``, with a text where the real server gives one."""

    ok: bool = True
    text: str | None = None


@dataclass(frozen=True)
class Listing:
    """One page of a list, and how many there are in all."""

    rows: Sequence[Resource | Mapping[str, Any]]
    total: int


Answer = Resource | Listing | Success | Mapping[str, Any] | Sequence[Resource] | None
"""What a handler gives: a resource is shown by its view under the command's object name, a sequence of resources as a
list with a count, a mapping as it is inside the envelope."""

Handler = Callable[["Call"], Answer]
Creator = Callable[["Call"], Generator[Resource, None, Answer]]
"""A create-type command: what runs before its one ``yield`` is the create step, which fails at once; it yields the new
resource; the rest is the job. A job that fails, or is made to, is raised at the ``yield``."""

View = Callable[[Any, "Call"], dict[str, Any]]
Addition = Callable[[Any, "Call"], Mapping[str, Any]]
"""Fields that one family adds to what any resource shows; empty for those that it has nothing to say of."""
Filter = Callable[[Any, Any, "Call"], bool]


class Scope(Enum):
    """Whose resources a list shows: everybody's, or by owner as AccountManagerImpl.buildACLSearchParameters has it."""

    NONE = "none"
    OWNER = "owner"


@dataclass(frozen=True)
class ListSpec:
    """How a list command is answered.

    ``filters`` adds to (or replaces) what follows from the attributes of ``kind``: ``zoneid`` compares with
    ``row.zone``, ``state`` with ``row.state`` without regard to case; ``rows`` gives the candidates, by default the
    whole table; ``keyword`` names the attributes that ``keyword`` is looked for in, none where the list
    takes no notice of it.
    """

    kind: type[Resource]
    scope: Scope = Scope.NONE
    filters: Mapping[str, Filter] = field(default_factory=dict)
    keyword: tuple[str, ...] = ("name",)
    rows: Callable[[Call], Iterable[Resource]] | None = None
    newest_first: bool = False


Check = Callable[["Call"], object]
"""Raises where a command cannot even be accepted (its getEntityOwnerId throws, before a job is made of it)."""
Finder = Callable[["Cloud", str], "Resource | None"]
"""Finds a resource of one response class by its uuid or number where the tables alone do not know it."""


@dataclass
class Family:
    """The behaviour of one family of resources; `families.FAMILIES` lists them all."""

    name: str
    handlers: dict[str, Handler | Creator] = field(default_factory=dict)
    object_names: dict[str, str] = field(default_factory=dict)
    views: dict[type[Resource], View] = field(default_factory=dict)
    lists: dict[str, ListSpec] = field(default_factory=dict)
    fresh: list[Callable[[Cloud, Mapping[str, Any]], None]] = field(default_factory=list)
    access: dict[type[Resource], Callable[[Cloud, Account, Any, str | None], None]] = field(default_factory=dict)
    account_cleanup: list[Callable[[Cloud, Account], None]] = field(default_factory=list)
    domain_cleanup: list[Callable[[Cloud, Domain], None]] = field(default_factory=list)
    event_listeners: list[Callable[[Cloud, Event], object]] = field(default_factory=list)
    additions: list[Addition] = field(default_factory=list)
    checks: dict[str, list[Check]] = field(default_factory=dict)
    finders: dict[str, Finder] = field(default_factory=dict)

    def must_name(self, command: str, parameter: str, kind: type[Resource], refusal: str) -> None:
        """Refuse a command at once, even an async one, where the resource that a parameter names is gone or of another
        class; ``{}`` in ``refusal`` is its internal number."""
        self.checks.setdefault(command, []).append(lambda call: call.maybe(kind, parameter, missing=refusal))

    def before(self, *commands: str) -> Callable[[F], F]:
        """Have ``function(call)`` refuse a command at once, even an async one, before its resources are looked at."""

        def register(function: F) -> F:
            for command in commands:
                self.checks.setdefault(command, []).append(function)
            return function

        return register

    def finder(self, entity: str) -> Callable[[F], F]:
        """Have ``function(cloud, id)`` find what parameters of this response class name, before the tables are asked."""

        def register(function: F) -> F:
            self.finders[entity] = function
            return function

        return register

    def command(self, *names: str, object_name: str | None = None) -> Callable[[F], F]:
        """Handle these commands; ``object_name`` where the answer's key is not the metadata's."""

        def register(handler: F) -> F:
            for name in names:
                self.handlers[name] = handler
                if object_name:
                    self.object_names[name] = object_name
            return handler

        return register

    def view(self, *kinds: type[Resource]) -> Callable[[F], F]:
        """Show resources of these classes. Fields that a command does not declare, and None, are left out later."""

        def register(function: F) -> F:
            for kind in kinds:
                self.views[kind] = function
            return function

        return register

    def listing(self, command: str, kind: type[Resource], **options: Any) -> None:
        """Answer a list command from the table of ``kind``; options are the fields of `ListSpec`."""
        self.lists[command] = ListSpec(kind, **options)

    def on_fresh_install(self, function: F) -> F:
        """Have ``function(cloud, fresh)`` put in place what a fresh install holds (fresh-install-4.23.json)."""
        self.fresh.append(function)
        return function

    def access_check(self, *kinds: type[Resource]) -> Callable[[F], F]:
        """Decide access to these classes by ``function(cloud, account, resource, access)``, which raises or returns."""

        def register(function: F) -> F:
            for kind in kinds:
                self.access[kind] = function
            return function

        return register

    def on_account_removal(self, function: F) -> F:
        """Have ``function(cloud, account)`` remove what an account owned, in the order of the families."""
        self.account_cleanup.append(function)
        return function

    def on_event(self, function: F) -> F:
        """Have ``function(cloud, event)`` told every event as it is recorded."""
        self.event_listeners.append(function)
        return function

    def on_view(self, function: F) -> F:
        """Have ``function(resource, call)`` add fields to whatever is shown (icons, what routed networks have)."""
        self.additions.append(function)
        return function

    def on_domain_removal(self, function: F) -> F:
        """Have ``function(cloud, domain)`` remove what was kept for a domain itself: shared networks, offerings of its
        own. Its accounts and sub-domains are gone by then."""
        self.domain_cleanup.append(function)
        return function


def _add(family: str, mine: dict[K, V], theirs: Mapping[K, V]) -> None:
    twice = mine.keys() & theirs.keys()
    if twice:
        raise ValueError(f"family {family} handles again: {sorted(map(str, twice))}")
    mine.update(theirs)


class Registry:
    """All families together, looked up by command and by resource class."""

    def __init__(self, families: Iterable[Family]) -> None:
        self.families = tuple(families)
        self.handlers: dict[str, Handler | Creator] = {}
        self.object_names: dict[str, str] = {}
        self.views: dict[type[Resource], View] = {}
        self.lists: dict[str, ListSpec] = {}
        self.access: dict[type[Resource], Callable[..., None]] = {}
        self.kinds: dict[str, list[type[Resource]]] = {}
        self.checks: dict[str, list[Check]] = {}
        self.finders: dict[str, Finder] = {}
        self.event_listeners = [listener for family in self.families for listener in family.event_listeners]
        self.additions = [addition for family in self.families for addition in family.additions]
        for family in self.families:
            _add(family.name, self.handlers, family.handlers)
            _add(family.name, self.views, family.views)
            _add(family.name, self.lists, family.lists)
            for command, checks in family.checks.items():
                self.checks.setdefault(command, []).extend(checks)
            _add(family.name, self.finders, family.finders)
            self.object_names.update(family.object_names)
            self.access.update(family.access)
        for kind in self.views:
            for entity in kind.entities:
                self.kinds.setdefault(entity, []).append(kind)

    def is_creator(self, name: str) -> bool:
        """True where the command's handler is a create step and a job in one generator."""
        return inspect.isgeneratorfunction(self.handlers.get(name))

    def view_of(self, kind: type[Resource]) -> View:
        """The view of a class or of its nearest base that has one."""
        for base in kind.__mro__:
            if base in self.views:
                return self.views[base]
        raise LookupError(f"{kind.__name__} has no view")
