"""The plugin's command line options and their ini twins (``pytest --help``, group "CloudStack matrix")."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ENVIRONMENTS_FILE = "cs-environments.yaml"
MARVIN_CONFIG = "./datacenter.cfg"
"""The Marvin configuration that Marvin's nose plugin reads where neither command line nor environment names one."""


@dataclass(frozen=True)
class NoseOptions:
    """The options of Marvin's nose plugin: together they say what one environment is, which no file names."""

    config: Path
    zone: str | None = None
    hypervisor: str | None = None
    """As it was written: Marvin hands it on to suites."""
    log_folder: Path | None = None
    deploy: bool = False


@dataclass(frozen=True)
class Options:
    """What the user asked of the plugin, command line before ini file. Paths are absolute."""

    environments: tuple[str, ...] = ()
    """Names and globs of environments, in the order given; empty where the plugin is not in use."""
    nose: NoseOptions | None = None
    """What ``--with-marvin`` stands for; `environments` then has the one name of it."""
    environments_file: Path | None = None
    search_from: tuple[Path, ...] = ()
    """Where the environments file is looked for if none is named: from each of these folders upward."""
    source: Path | None = None
    api_from: str | None = None
    """The environment whose server lists the API that Marvin is to have; None for that of the source tree."""
    report: Path = Path("cs-report")
    lab: str | None = None
    commit: str | None = None
    attr: tuple[str, ...] = ()
    eval_attr: tuple[str, ...] = ()
    deploy: bool = False
    real_time: bool = False
    features: Path | None = None
    known_failures: Path | None = None
    xunit_unstable: str = "passed"
    window: int = 10
    settle: int = 3


def add_options(parser: pytest.Parser) -> None:
    """Register every option of the plugin."""
    group = parser.getgroup("cs_matrix", "CloudStack matrix")

    def twin(flag: str, help_text: str, **settings: Any) -> None:
        """An option and the ini value of the same name."""
        ini = flag.lstrip("-").replace("-", "_")
        group.addoption(flag, dest=ini, default=None, help=f"{help_text} (ini: {ini})", **settings)
        parser.addini(ini, help_text, type="string", default="")

    twin(
        "--cs-env",
        "Run Marvin tests in this environment: a name or a glob, a comma list of them, or the option repeated",
        action="append",
        metavar="NAME",
    )
    twin(
        "--cs-env-file",
        f"The environments file; default: {ENVIRONMENTS_FILE} in the rootdir or above it, else in the current folder or above",
        metavar="FILE",
    )
    twin("--cs-source", "A CloudStack checkout whose tools/marvin is used, unmodified", metavar="DIR")
    twin(
        "--cs-api-from",
        "Generate Marvin's API from what this environment's server lists, not from the checkout's Java sources",
        metavar="NAME",
    )
    twin("--cs-report", "The folder for run records and reports; default: cs-report", metavar="DIR")
    twin("--cs-features", "A features file that comes before the shipped catalogue", metavar="FILE")
    twin(
        "--cs-known-failures",
        "The known-failures file; default: cs-known-failures.yaml, looked for as the environments file is",
        metavar="FILE",
    )
    group.addoption(
        "--cs-lab",
        metavar="NAME",
        help="Whose results these are; default: the environments file's lab, else 'local'",
    )
    group.addoption(
        "--cs-commit", metavar="SHA", help="The commit of CloudStack that the environments run, for the run record"
    )
    group.addoption(
        "--attr",
        action="append",
        default=[],
        metavar="EXPR",
        help="Select by attributes as nose's -a does: tags=advanced,required_hardware=false (comma: and; repeated: or)",
    )
    group.addoption(
        "--eval-attr",
        action="append",
        default=[],
        metavar="EXPR",
        help="Select by a Python expression over attributes, as nose's -A does: \"'advanced' in tags\"",
    )
    group.addoption(
        "--cs-deploy",
        action="store_true",
        help="Deploy the data centre of each selected environment from its Marvin config first, one after another",
    )
    group.addoption(
        "--cs-real-time", action="store_true", help="No virtual time: waiting in embedded environments really waits"
    )
    group.addoption(
        "--cs-xunit-unstable",
        choices=("passed", "failure"),
        default="passed",
        help="How matrix.xml shows an unstable feature: passed with its flaky failure recorded, or as a failure",
    )
    _add_marvin_options(group)
    group.addoption("--cs-list-envs", action="store_true", help="List the environments there are, and exit")
    group.addoption("--cs-list-tags", action="store_true", help="List the tags of the collected tests, and exit")
    group.addoption(
        "--cs-list-features", action="store_true", help="List the features that the collected tests stand for, and exit"
    )
    parser.addini("cs_window", "How many of a test's newest attempts decide its outcome", default="10")
    parser.addini("cs_settle", "How many newest attempts must agree after a test's answer changed", default="3")


_WITH_MARVIN = "--with-marvin"
_MARVIN_CONFIG = "--marvin-config"
_LOG_FOLDER = "--log-folder-path"
_NOSE_DESTINATIONS = {
    _MARVIN_CONFIG: "marvin_config",
    _LOG_FOLDER: "log_folder_path",
    "--zone": "nose_zone",
    "--hypervisor": "nose_hypervisor",
    "--deploy": "nose_deploy",
    "--load": "nose_load",
}
"""The options of Marvin's nose plugin, and where their values are kept."""


def _add_marvin_options(group: pytest.OptionGroup) -> None:
    group.addoption(
        _WITH_MARVIN,
        action="store_true",
        help="As with nose: run Marvin tests in the environment of --marvin-config, without an environments file; "
        "--with-marvin --help shows the rest of Marvin's nose options",
    )
    group.addoption(
        _MARVIN_CONFIG,
        metavar="FILE",
        help=f"With --with-marvin: Marvin's configuration; default: $MARVIN_CONFIG, else {MARVIN_CONFIG}",
    )
    group.addoption(
        _LOG_FOLDER,
        metavar="DIR",
        help="With --with-marvin: Marvin's logs go to MarvinLogs in it; default: where the configuration says, else here",
    )


def add_nose_options(parser: pytest.Parser, args: Sequence[str]) -> None:
    """Register the other options of Marvin's nose plugin, under its names, for a command line that is of its kind.

    Only for such a one: they are words that projects of any kind have for options of their own, and pytest ends at an
    option that is there twice.
    """
    if not any(each == _WITH_MARVIN or each.partition("=")[0] == _MARVIN_CONFIG for each in args):
        return
    group = parser.getgroup("cs_matrix")

    def add(flag: str, help_text: str, **settings: Any) -> None:
        group.addoption(flag, dest=_NOSE_DESTINATIONS[flag], help=f"With --with-marvin: {help_text}", **settings)

    add("--zone", "the zone to run in; default: the configuration's first", metavar="NAME")
    add("--hypervisor", "the hypervisor, in any case; default: the configuration's", metavar="TYPE")
    add("--deploy", "deploy the data centre first, as --cs-deploy does", action="store_true")
    add("--load", "do not deploy, which is the default", action="store_true")


def _nose_options(config: pytest.Config) -> NoseOptions | None:
    """What ``--with-marvin`` and its company say; None without it. Raises `pytest.UsageError`."""
    option = config.option
    values = {flag: getattr(option, destination, None) for flag, destination in _NOSE_DESTINATIONS.items()}
    if not option.with_marvin:
        if given := [flag for flag, value in values.items() if value]:
            raise pytest.UsageError(f"{', '.join(given)}: only with {_WITH_MARVIN}, as with nose")
        return None
    if option.cs_env:
        raise pytest.UsageError(
            f"either {_WITH_MARVIN} or --cs-env, not both: the one runs in the environment of a Marvin configuration, "
            "the other in those of an environments file"
        )
    if values["--deploy"] and values["--load"]:
        raise pytest.UsageError("either --deploy or --load, not both: to load is not to deploy")
    chosen = option.marvin_config
    if chosen is None:
        chosen = os.environ.get("MARVIN_CONFIG", MARVIN_CONFIG)
    if not chosen:
        raise pytest.UsageError(f"{_MARVIN_CONFIG} names no file")
    folder = values[_LOG_FOLDER]
    # A shell leaves the ~ of --option=~/x to the program. As to Marvin, what is empty is not given.
    here = config.invocation_params.dir
    return NoseOptions(
        config=(here / Path(chosen).expanduser()).absolute(),
        zone=values["--zone"] or None,
        hypervisor=values["--hypervisor"] or None,
        log_folder=(here / Path(folder).expanduser()).absolute() if folder else None,
        deploy=bool(values["--deploy"]),
    )


def read_options(config: pytest.Config) -> Options:
    """The options of this session. Raises `pytest.UsageError` for an ini value that is not what it must be."""
    option = config.option

    def path(name: str) -> Path | None:
        given: str | None = getattr(option, name)
        if given:
            return (config.invocation_params.dir / given).absolute()
        ini: str = config.getini(name)
        # Paths in an ini file are relative to it, as pytest's own are.
        return ((config.inipath or config.rootpath / "pytest.ini").parent / ini).absolute() if ini else None

    def number(name: str) -> int:
        text = str(config.getini(name))
        if not text.isdecimal() or int(text) < 1:
            raise pytest.UsageError(f"{config.inipath}: {name}: a number of at least 1 is needed, not {text!r}")
        return int(text)

    window, settle = number("cs_window"), number("cs_settle")
    if settle > window:
        raise pytest.UsageError(f"{config.inipath}: cs_settle ({settle}) cannot be more than cs_window ({window})")
    nose = _nose_options(config)
    patterns = option.cs_env or [config.getini("cs_env")]
    environments = tuple(part.strip() for text in patterns for part in text.split(",") if part.strip())
    if option.cs_env and not environments:
        # As a script with an empty variable has it: to skip every test would look like success.
        raise pytest.UsageError("--cs-env names no environment; see those there are with --cs-list-envs")
    if nose is not None:
        from cs_matrix_pytest.environments.unnamed import unnamed

        environments = (unnamed(nose.config),)
    return Options(
        environments=environments,
        nose=nose,
        environments_file=path("cs_env_file"),
        # Suites may lie outside the lab's folder, and then the rootdir is theirs.
        search_from=(config.rootpath, config.invocation_params.dir),
        source=path("cs_source"),
        api_from=option.cs_api_from or config.getini("cs_api_from") or None,
        report=path("cs_report") or config.invocation_params.dir / "cs-report",
        lab=option.cs_lab,
        commit=option.cs_commit,
        attr=tuple(option.attr),
        eval_attr=tuple(option.eval_attr),
        deploy=option.cs_deploy or (nose is not None and nose.deploy),
        real_time=option.cs_real_time,
        features=path("cs_features"),
        known_failures=path("cs_known_failures"),
        xunit_unstable=option.cs_xunit_unstable,
        window=window,
        settle=settle,
    )
