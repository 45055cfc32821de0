"""A cloud's state in a file: saved when a server ends, loaded when the next one begins."""

from __future__ import annotations

import gzip
import json
import os
import time
import zlib
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest import __version__
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.simulator import background, jobs
from cs_matrix_pytest.simulator.clock import TIMED, Timer, name_of_timed
from cs_matrix_pytest.simulator.families import webhooks
from cs_matrix_pytest.simulator.families.management_servers import UP
from cs_matrix_pytest.simulator.models.iam import User
from cs_matrix_pytest.simulator.models.infra import ManagementServer
from cs_matrix_pytest.simulator.models.webhooks import Webhook
from cs_matrix_pytest.simulator.state_codec import CannotCarry, Decoder, Encoder, Unreadable, vocabulary
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

NAME = "cs-simulator-state"
VERSION = 1
SCHEMA = f"{NAME}/{VERSION}"

FACTS = ("hypervisor", "management_server_id", "identifier")
"""Attributes of the cloud that are texts of its own."""
POSTING_SECONDS = 5.0
"""How long saving waits for webhooks whose events are being posted."""
GZIP = b"\x1f\x8b"
FRESH_START = "Name another file, or move this one away to begin anew; it was left as it is."
DAMAGE = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)
"""What a document that is not a state's can bring about while it is read."""


def save(cloud: Cloud, path: Path) -> None:
    """Write a cloud's state to a file, all of it or nothing; only its owner can read it, as there are keys and passwords
    in it. A name that ends in ``.gz`` is compressed. Raises UserError."""
    try:
        text = json.dumps(dump(cloud), separators=(",", ":"))
    except CannotCarry as problem:
        raise UserError(f"the state cannot be saved: {problem}", file=path) from None
    content = text.encode("ascii")
    if path.suffix == ".gz":
        # Higher levels take several times as long for a few per cent.
        content = gzip.compress(content, compresslevel=3)
    # A link goes on leading to the state.
    target = path.resolve()
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        draft.replace(target)
    except OSError as error:
        raise UserError(f"the state cannot be saved: {error.strerror or error}", file=path) from None
    finally:
        draft.unlink(missing_ok=True)


def load(cloud: Cloud, path: Path) -> bool:
    """Put the state of a file in a new cloud's place; False where there is no such file.

    Raises UserError for what is no state; the cloud is of no use then.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        _check_folder(path)
        return False
    except OSError as error:
        raise UserError(f"the state cannot be read: {error.strerror or error}", file=path) from None
    try:
        restore(cloud, _document(content))
    except Unreadable as problem:
        raise UserError(f"this is no state that can be loaded: {problem}", file=path, hint=FRESH_START) from None
    return True


def _check_folder(path: Path) -> None:
    folder = path.resolve().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        why = "its folder cannot be written" if folder.is_dir() else "there is no such folder"
        raise UserError(f"the state could not be saved here: {why}", file=path)


def _document(content: bytes) -> dict[str, Any]:
    """The document in a file's bytes, of this version. Raises Unreadable."""
    try:
        if content.startswith(GZIP):
            content = gzip.decompress(content)
        document = json.loads(content)
    except (EOFError, OSError, zlib.error) as problem:
        raise Unreadable(f"it is damaged ({problem})") from None
    except (ValueError, RecursionError) as problem:
        raise Unreadable(f"it is not JSON, or not all of it ({problem})") from None
    schema = document.get("schema") if isinstance(document, dict) else None
    name, _, version = schema.partition("/") if isinstance(schema, str) else ("", "", "")
    if name != NAME:
        raise Unreadable(f'it does not begin with {{"schema": "{SCHEMA}"}}')
    if version != str(VERSION):
        raise Unreadable(
            f"its format is {schema!r}, of another version of cs-matrix-pytest ({document.get('saved_by', 'unknown')}); "
            f"this is {__version__}, which reads {SCHEMA!r}"
        )
    return document  # type: ignore[no-any-return]


def dump(cloud: Cloud) -> dict[str, Any]:
    """A cloud's state as values that JSON has. Jobs that are under way are finished first. Raises CannotCarry."""
    with cloud.lock:
        _settle(cloud)
        tables = {kind: cloud.store.table(kind) for kind in cloud.store.kinds}
        held = {
            kind: (list(table), [row for row in table.removed() if row not in table]) for kind, table in tables.items()
        }
        kept: list[Resource] = [row for live, removed in held.values() for row in (*live, *removed)]
        encoder = Encoder(vocabulary(), kept)
        document = {
            "schema": SCHEMA,
            "saved_by": f"cs-matrix-pytest {__version__}",
            "saved": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "cloud": {name: getattr(cloud, name) for name in FACTS},
            "users": {"system": encoder.value(cloud.system_user), "admin": encoder.value(cloud.admin_user)},
            "clock": {"now": cloud.clock.now(), "ahead": cloud.clock.ahead},
            "settings": {
                setting.name: [setting.value, setting.overrides] for setting in cloud.configuration.settings.values()
            },
            "sessions": [[name, encoder.value(user), key] for name, user, key in cloud.sessions.entries()],
            "timers": [
                [timer.when, name, [encoder.value(each) for each in timer.args[1:]]]
                for timer in cloud.clock.waiting()
                if (name := name_of_timed(timer.function)) is not None
            ],
            "tables": [
                {
                    "class": kind.__name__,
                    "last": tables[kind].last_number,
                    "live": [encoder.row(row) for row in live],
                    "removed": [encoder.row(row) for row in removed],
                }
                for kind, (live, removed) in held.items()
            ],
        }
        loose: list[list[Any]] = []
        # Whoever is written may name others that no table has.
        for resource in encoder.loose:
            loose.append([type(resource).__name__, encoder.row(resource)])
        return {**document, "loose": loose}


def _settle(cloud: Cloud) -> None:
    """Bring about what only this process can: the end of jobs that take their time, and answers to webhooks."""
    cloud.clock.hurry(jobs.finish)
    until = time.monotonic() + POSTING_SECONDS
    for webhook in cloud.store.table(Webhook):
        webhook.outbox.flush(max(0.0, until - time.monotonic()))
    webhooks.deliveries(cloud)
    cloud.events.usage.look()


def restore(cloud: Cloud, document: Mapping[str, Any]) -> None:
    """Put a state in a new cloud's place. Raises Unreadable; the cloud is of no use then."""
    try:
        _State(document).put_in(cloud)
    except CannotCarry as problem:
        raise Unreadable(str(problem)) from None
    except Unreadable:
        raise
    except DAMAGE as problem:
        raise Unreadable(f"it is damaged ({type(problem).__name__}: {problem})") from None


class _State:
    """A document that was read whole, before any of it is used."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        tables, loose = document["tables"], document["loose"]
        kinds = [table["class"] for table in tables for _ in (*table["live"], *table["removed"])]
        known = vocabulary()
        self._decoder = decoder = Decoder(known, [*kinds, *(kind for kind, _ in loose)])
        rows = [row for table in tables for row in (*table["live"], *table["removed"])] + [row for _, row in loose]
        for resource, row in zip(decoder.resources, rows, strict=True):
            decoder.fill(resource, row)
            if type(resource.id) is not str or type(resource.number) is not int:
                raise Unreadable(f"a {type(resource).__name__} of id {resource.id!r} and number {resource.number!r}")
        left = iter(decoder.resources)
        self._tables = [
            (
                known.resources[table["class"]],
                [next(left) for _ in table["live"]],
                [next(left) for _ in table["removed"]],
                int(table["last"]),
            )
            for table in tables
        ]
        self._facts = {name: str(document["cloud"][name]) for name in FACTS}
        self._system, self._admin = (self._user(document["users"][name]) for name in ("system", "admin"))
        now, ahead = float(document["clock"]["now"]), float(document["clock"]["ahead"])
        # The simulated clock never goes back, whatever the wall clock of this machine says.
        self._ahead = max(ahead, now - time.time())
        self._settings = {
            str(name): (None if value is None else str(value), {str(k): str(v) for k, v in overrides.items()})
            for name, (value, overrides) in document["settings"].items()
        }
        self._sessions = [(str(name), self._user(user), str(key)) for name, user, key in document["sessions"]]
        self._timers = [
            (float(when), TIMED[name], [decoder.value(each) for each in args])
            for when, name, args in document["timers"]
        ]

    def _user(self, value: Any) -> User:
        user = self._decoder.value(value)
        if not isinstance(user, User):
            raise Unreadable("something else in the place of a user")
        return user

    def put_in(self, cloud: Cloud) -> None:
        with cloud.lock:
            for name, fact in self._facts.items():
                setattr(cloud, name, fact)
            cloud.system_user, cloud.admin_user = self._system, self._admin
            cloud.store.clear()
            for kind, live, removed, last in self._tables:
                cloud.store.table(kind).restore(live, removed, last)
            for name, (value, overrides) in self._settings.items():
                # A setting that this version does not know has no effect in it.
                if (setting := cloud.configuration.settings.get(name)) is not None:
                    setting.value, setting.overrides = value, dict(overrides)
            cloud.sessions.restore(self._sessions)
            cloud.clock.restore(
                self._ahead, [Timer(when, function, (cloud, *args)) for when, function, args in self._timers]
            )
            background.resume(cloud)
            # What it was about to do when it ended is done with: it has begun anew.
            for server in cloud.store.table(ManagementServer).where(id=cloud.management_server_id):
                server.state = UP
            cloud.events.usage.resume()
