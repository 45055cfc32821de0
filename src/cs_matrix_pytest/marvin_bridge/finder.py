"""Making the Marvin that was located importable, under the names of either Marvin."""
# ruff: noqa: ARG002 - the signatures are the import system's

from __future__ import annotations

import gc
import importlib
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import InspectLoader, Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from .locate import Marvin
from .user_cache import cache_folder

# The library's place: what an import may say → what this Marvin calls it.
_ALIASES = {
    "4.4.0": {"marvin.lib": "marvin.integration.lib"},
    "modern": {"marvin.integration.lib": "marvin.lib"},
}
# Packages that exist only so that an alias can lie below them.
_EMPTY_PACKAGES = {"4.4.0": (), "modern": ("marvin.integration",)}


def install_finder(marvin: Marvin) -> None:
    """Let ``import marvin…`` find this Marvin, ported if it is 4.4.0; nothing of it is read before the first import.

    A finder of another Marvin is removed first; the same again changes nothing.
    """
    if any(isinstance(finder, MarvinFinder) and finder.marvin == marvin for finder in sys.meta_path):
        return
    uninstall()
    sys.meta_path.insert(0, MarvinFinder(marvin))


def uninstall() -> None:
    """Remove the finder and forget every module it brought. Without a finder nothing happens."""
    finders = [finder for finder in sys.meta_path if isinstance(finder, MarvinFinder)]
    if not finders:
        return
    for finder in finders:
        sys.meta_path.remove(finder)
    for name in [name for name in sys.modules if name == "marvin" or name.startswith("marvin.")]:
        del sys.modules[name]


class MarvinFinder(MetaPathFinder):
    """Finds ``marvin`` and all below it; other names are none of its business."""

    def __init__(self, marvin: Marvin) -> None:
        self.marvin = marvin
        self._aliases = _ALIASES[marvin.kind]
        self._ported: Mapping[str, CodeType] | None = None
        self._additions: Mapping[str, Callable[[Any], None]] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder.find_spec`."""
        if fullname != "marvin" and not fullname.startswith("marvin."):
            return None
        if fullname in _EMPTY_PACKAGES[self.marvin.kind]:
            return ModuleSpec(fullname, _EmptyPackage(), is_package=True)
        real = self._real_name(fullname)
        if real != fullname:
            return self._alias_spec(fullname, real)
        return self._ported_spec(fullname) if self.marvin.kind == "4.4.0" else self._modern_spec(fullname, path)

    def _real_name(self, name: str) -> str:
        for alias, real in self._aliases.items():
            if name == alias or name.startswith(f"{alias}."):
                return real + name[len(alias) :]
        return name

    def _alias_spec(self, name: str, real: str) -> ModuleSpec | None:
        try:
            module = importlib.import_module(real)
        except ModuleNotFoundError as error:
            if error.name == real:
                return None  # the import system then names what the suite asked for
            raise
        return ModuleSpec(name, AlreadyLoaded(module), origin=getattr(module, "__file__", None))

    def _ported_spec(self, name: str) -> ModuleSpec | None:
        if self._ported is None:
            from .port44.additions import ADDITIONS
            from .port44.cache import ported_package

            with _collector_paused():
                self._ported = ported_package(self.marvin.path)
            self._additions = ADDITIONS
        code = self._ported.get(name)
        if code is None:
            return None
        file = code.co_filename
        package = file.endswith("__init__.py")
        spec = ModuleSpec(name, _PortedModule(code, self._additions.get(name)), origin=file, is_package=package)
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [file[: -len("__init__.py") - 1]]
        return spec

    def _modern_spec(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        if name == "marvin":
            path = [str(self.marvin.path.parent)]
        elif name == "marvin.cloudstackAPI" and self.marvin.api is not None:
            path = [str(self.marvin.api.parent)]
        spec = PathFinder.find_spec(name, path)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            of_tree = self.marvin.origin == "source tree" and self.marvin.path in Path(spec.loader.path).parents
            spec.loader = (_TreeSource if of_tree else _QuietSource)(spec.loader.name, spec.loader.path)
        return spec


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Marvin's API is 460 modules of classes that stay: searching them for garbage costs a quarter of their import."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _PortedModule(InspectLoader):
    """Executes a ported module, then lets it have what newer suites expect of it."""

    def __init__(self, code: CodeType, addition: Callable[[Any], None] | None) -> None:
        self._code = code
        self._addition = addition

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        with _collector_paused():
            exec(self._code, module.__dict__)
        if self._addition is not None:
            self._addition(module)

    def get_code(self, fullname: str) -> CodeType:
        return self._code

    def is_package(self, fullname: str) -> bool:
        return self._code.co_filename.endswith("__init__.py")

    def get_source(self, fullname: str) -> str:
        """The file's own text: it has the line numbers of the ported code."""
        return Path(self._code.co_filename).read_text(encoding="utf-8", errors="replace")


class _QuietSource(SourceFileLoader):
    """A module of a modern Marvin: its invalid escapes are no news to who runs tests, and no error under ``-W error``."""

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> CodeType:  # type: ignore[override]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().source_to_code(data, path, _optimize=_optimize)


class _TreeSource(_QuietSource):
    """A module of a source tree, which is not written to: its compiled form is kept in the user's cache."""

    def get_code(self, fullname: str) -> CodeType | None:
        before = sys.pycache_prefix
        sys.pycache_prefix = before or str(cache_folder() / "pycache")
        try:
            return super().get_code(fullname)
        finally:
            sys.pycache_prefix = before


class AlreadyLoaded(Loader):
    """Gives the import system a module that is there already, unchanged."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has just set its own


class _EmptyPackage(Loader):
    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        pass
