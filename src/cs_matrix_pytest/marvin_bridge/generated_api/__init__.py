"""The part of a modern Marvin that a source tree lacks: ``marvin.cloudstackAPI``, a class for each API command.

Marvin's own generator writes it, from a list of commands as ``listApis`` gives it; that list is read from the tree's Java
annotations (`java` parses, `sources` finds, `discovery` knows CloudStack's rules) or comes from a live server. `cache`
keeps the result outside of the tree, which is never written to.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cs_matrix_pytest.errors import UserError

if TYPE_CHECKING:
    from cs_matrix_pytest.marvin_bridge.locate import Marvin

    from .discovery import Api
    from .sources import Source

Say = Callable[[str], None]
"""Takes a line on what is going on, for a user who waits."""

_GENERATOR = "codegenerator.py"


def completed(marvin: Marvin, say: Say) -> Marvin:
    """This Marvin with a generated API: as it is if it has one, else with one from its tree's Java sources.

    Nothing is said where the cache has it. Raises `UserError` where there are no Java sources, or the cache cannot be used.
    """
    if marvin.complete:
        return marvin
    from . import cache
    from .sources import Sources, find_sources

    tree = tree_of(marvin)
    if tree is None:
        raise _no_sources(marvin)
    sources = find_sources(tree)
    generator = _generator(marvin)
    state = _state(generator, sources)
    package = cache.known(tree, state)
    if package is None:
        from .discovery import discover

        started = time.monotonic()
        say(f"generating Marvin's API from {len(sources):,} Java sources of {tree} …")
        apis = discover(Sources(sources))
        if not apis:
            raise _no_sources(marvin)
        package = cache.made(generator, apis)
        cache.remember(tree, state, package)
        say(f"{len(apis)} commands, in {time.monotonic() - started:.1f} s; kept in {package.parent}")
    return replace(marvin, complete=True, api=package)


def with_api_of_server(marvin: Marvin, ask: Callable[[], list[Api]], server: str, say: Say) -> Marvin:
    """This Marvin with the API that a live server lists when asked. ``server`` is its name, to be shown. Raises `UserError`."""
    from . import cache

    if marvin.kind != "modern":
        raise UserError(
            f"Marvin {marvin.version} cannot take the API of {server}: it comes with its own",
            hint="Leave --cs-api-from out, or use the Marvin of a CloudStack tree: --cs-source=PATH",
        )
    say(f"asking {server} for its API …")
    apis = ask()
    if not apis:
        raise UserError(f"{server} lists no API command", hint="Its account must be one that may call them: root admin")
    package = cache.made(_generator(marvin), apis)
    say(f"{len(apis)} commands")
    return replace(marvin, complete=True, api=package)


def is_generated(marvin: Marvin) -> Path | None:
    """The API that the cache has for the tree's present state, if any. Raises `UserError` as `completed` does."""
    from . import cache
    from .sources import find_sources

    tree = tree_of(marvin)
    return cache.known(tree, _state(_generator(marvin), find_sources(tree))) if tree else None


def _state(generator: Path, sources: list[Source]) -> str:
    """A digest of whatever the generated API of a tree depends on; of the Java sources only what a listing shows."""
    from . import cache
    from .sources import stamp

    return hashlib.sha256(cache.rules() + stamp(sources).encode() + generator.read_bytes()).hexdigest()


def tree_of(marvin: Marvin) -> Path | None:
    """The CloudStack tree that this Marvin lies in, if it has the Java sources of the API."""
    # TREE/tools/marvin/marvin
    tree = marvin.path.absolute().parents[2] if len(marvin.path.absolute().parents) > 2 else None
    return tree if tree and (tree / "api" / "src" / "main" / "java").is_dir() else None


def _generator(marvin: Marvin) -> Path:
    generator = marvin.path / _GENERATOR
    if not generator.is_file():
        raise UserError(
            f"this Marvin has no code generator ({_GENERATOR})", file=marvin.path, hint="Is the checkout whole?"
        )
    return generator


def _no_sources(marvin: Marvin) -> UserError:
    return UserError(
        "this Marvin has no generated API (marvin/cloudstackAPI), and there are no Java sources to generate it from",
        file=marvin.path,
        hint="Take the API of a live server: --cs-api-from=ENVIRONMENT\n  or check out the whole CloudStack tree, not only"
        " parts of it\n  or run its Maven build: mvn -P developer -pl tools/apidoc,tools/marvin -am",
    )
