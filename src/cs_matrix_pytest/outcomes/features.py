"""Features, the rows of the matrix: which test is evidence for which, by cs-features.yaml and the shipped catalogue."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path

from cs_matrix_pytest.errors import UserError

FILE_NAME = "cs-features.yaml"
SHIPPED = Path(__file__).with_name("features.yaml")
SCHEMA_FILE = Path(__file__).with_name("cs-features.schema.json")

_SUITES = "test/integration/"


@dataclass(frozen=True)
class Feature:
    """What a CloudStack user would ask for. ``area`` groups features (``compute``, ``network`` …), if known."""

    id: str
    title: str
    area: str | None = None


@dataclass(frozen=True)
class _Layer:
    """One catalogue file: names of tests, classes and modules by exact match, then folders and globs, longest first."""

    features: Mapping[str, Feature] = field(default_factory=dict)
    exact: Mapping[str, str] = field(default_factory=dict)
    globs: tuple[tuple[re.Pattern[str], str], ...] = ()

    def find(self, test: str) -> str | None:
        for name in _names(test):
            if name in self.exact:
                return self.exact[name]
        return next((feature for glob, feature in self.globs if glob.match(test)), None)


@dataclass(frozen=True)
class FeatureCatalogue:
    """The user's file before the shipped one before the module's name; within a file the most specific match wins."""

    layers: tuple[_Layer, ...] = ()

    def feature_of(self, test: str) -> Feature:
        """The feature that a test (or a class, or a module, by its id) is evidence for."""
        for layer in self.layers:
            found = layer.find(test)
            if found is not None:
                return self._feature(found)
        return self._feature(_module_name(test))

    @property
    def features(self) -> Mapping[str, Feature]:
        """All features that the catalogue files name."""
        return {name: self._feature(name) for layer in self.layers for name in layer.features}

    def _feature(self, name: str) -> Feature:
        named = (layer.features[name] for layer in self.layers if name in layer.features)
        return next(named, Feature(name, _title(name)))


def find_catalogue(start: Path) -> Path | None:
    """The nearest cs-features.yaml in ``start`` or a folder above it."""
    from cs_matrix_pytest.environments.yaml_source import nearest

    return nearest(FILE_NAME, start)


def load_catalogue(path: Path | None = None) -> FeatureCatalogue:
    """The catalogue of ``path`` (None: only the shipped one). Raises UserError with file, line and key."""
    files = [SHIPPED] if path is None else [path, SHIPPED]
    return FeatureCatalogue(tuple(_layer(file) for file in files))


def _names(test: str) -> Iterator[str]:
    """The names that a test goes by, most specific first: itself, without its parameters, its class, its module."""
    yield test
    name = test.partition("[")[0]
    while name:
        yield name
        name = name.rpartition("::")[0]


def _module_name(test: str) -> str:
    stem = re.sub(r"\.py$", "", test.partition("::")[0].rstrip("/").rpartition("/")[2])
    return stem.removeprefix("test_") or stem or "unknown"


def _title(name: str) -> str:
    words = re.sub(r"[_-]+", " ", name).strip()
    return words[:1].upper() + words[1:]


# Reading


def _layer(path: Path) -> _Layer:
    from cs_matrix_pytest.environments.validation import validate
    from cs_matrix_pytest.environments.yaml_source import dotted, read_yaml

    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    document = read_yaml(path, "features file", schema)
    if path != SHIPPED:
        validate(document, schema)

    features: dict[str, Feature] = {}
    owners: dict[str, str] = {}
    for name, entry in document.value["features"].items():
        features[name] = Feature(name, entry.get("title") or _title(name), entry.get("area"))
        for index, written in enumerate(entry.get("tests", ())):
            pattern = _pattern(written)
            other = owners.setdefault(pattern, name)
            if other != name:
                where = ("features", name, "tests", index)
                raise UserError(
                    f"{written} belongs to the feature {other} already",
                    file=path,
                    line=document.line(where),
                    key=dotted(where),
                    hint="A test is evidence for one feature: take it out of one of the two.",
                )
    globs = sorted((pattern for pattern in owners if _is_glob(pattern)), key=lambda glob: (-len(glob), glob))
    return _Layer(
        features=features,
        exact={pattern: owner for pattern, owner in owners.items() if not _is_glob(pattern)},
        globs=tuple((re.compile(translate(glob)), owners[glob]) for glob in globs),
    )


def _pattern(written: str) -> str:
    """As tests are named: below test/integration; a folder is everything in it."""
    pattern = written.removeprefix("./").removeprefix(_SUITES)
    if "::" in pattern or (pattern.endswith(".py") and not _is_glob(pattern)):
        return pattern
    return f"{pattern}*" if _is_glob(pattern) else f"{pattern.rstrip('/')}/*"


def _is_glob(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern
