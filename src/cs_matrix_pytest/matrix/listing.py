"""What ``--cs-list-envs``, ``--cs-list-tags`` and ``--cs-list-features`` print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

from cs_matrix_pytest.environments.file import open_environments
from cs_matrix_pytest.environments.model import Environment
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.matrix.collection import environment_of, is_marvin_item, subject_of
from cs_matrix_pytest.matrix.naming import test_id
from cs_matrix_pytest.matrix.pytest_private import run_collected
from cs_matrix_pytest.options import read_options
from cs_matrix_pytest.outcomes.features import FeatureCatalogue, find_catalogue, load_catalogue
from cs_matrix_pytest.selection.tags import render, tag_table


def list_environments(config: pytest.Config) -> list[str]:
    """The environments of the file as lines: name, context, and where it runs. Raises UserError."""
    options = read_options(config)
    file = open_environments(options.environments_file, *options.search_from)
    rows = [(each.name, each.context.key, _place(each)) for each in file.environments.values()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)] if rows else [0, 0]
    lines = [f"{name:<{widths[0]}}  {context:<{widths[1]}}  {place}" for name, context, place in rows]
    return [f"environments of {file.path} (lab {file.lab}):", *(f"  {line}".rstrip() for line in lines)]


def _place(environment: Environment) -> str:
    if environment.embedded:
        return "embedded simulator"
    return environment.marvin_config.name if environment.marvin_config else ""


def list_tags(items: Iterable[pytest.Item]) -> list[str]:
    """The tags and attributes of the collected tests as lines; a test counts once however many environments it has."""
    tests: dict[str, dict[str, object]] = {}
    for item in items:
        if is_marvin_item(item) or environment_of(item) is not None:
            tests.setdefault(item.nodeid.partition("[")[0], subject_of(item).attributes)
    return render(tag_table(tests.values()))


def list_features(tests: Iterable[str], catalogue: FeatureCatalogue) -> list[str]:
    """The features of the tests (by id) as lines, by area, with how many tests each has; of no tests, all there are."""
    found = [catalogue.feature_of(test) for test in tests]
    counts = Counter(feature.id for feature in found)
    features = {feature.id: feature for feature in found} or catalogue.features
    areas = sorted({feature.area or "" for feature in features.values()}, key=lambda area: (not area, area))
    width = max((len(name) for name in features), default=0)
    counted = (_counted(len(features), "feature"), _counted(len(areas), "area"), _counted(len(found), "test"))
    lines = ["{} in {}, {}".format(*counted)]
    for area in areas:
        rows = sorted((each for each in features.values() if (each.area or "") == area), key=lambda each: each.id)
        lines += ["", f"{area or 'no area'}:"]
        lines += [f"  {counts[each.id]:>5}  {each.id:<{width}}  {each.title}" for each in rows]
    return lines


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def show(config: pytest.Config) -> int | pytest.ExitCode:
    """Print what was asked for; the exit code is 0. Raises `pytest.UsageError` for a file of ours that is wrong."""
    option = config.option
    try:
        if option.cs_list_envs:
            print(*list_environments(config), sep="\n")
            return pytest.ExitCode.OK
        if option.cs_list_tags:
            return run_collected(config, lambda session: print(*list_tags(session.items), sep="\n"))
        catalogue = load_catalogue(read_options(config).features or find_catalogue(config.rootpath))
    except UserError as error:
        raise pytest.UsageError(str(error)) from None
    return run_collected(config, lambda session: print(*list_features(_tests(session), catalogue), sep="\n"))


def _tests(session: pytest.Session) -> Iterable[str]:
    """The ids of the collected tests, each once however many environments it has."""
    items = [item for item in session.items if is_marvin_item(item) or environment_of(item) is not None]
    names = [(item.path, tuple(item.nodeid.partition("[")[0].split("::")[1:])) for item in items]
    return dict.fromkeys(test_id(path, session.config.rootpath, each) for path, each in names)
