"""One face for both Marvins: start it for an environment, give its clients to classes, keep its logs."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cs_matrix_pytest.environments.marvin_config import INTEGRATION_PORT, load_marvin_config
from cs_matrix_pytest.environments.masking import Masker, secrets_in
from cs_matrix_pytest.errors import EnvironmentUnusable, UserError
from cs_matrix_pytest.outcomes.model import AttemptOutcome

from .finder import install_finder
from .locate import Marvin
from .run_log import RunLog, close_handlers
from .test_data import shipped_test_data
from .trace import ApiCall, Mask, Recorder, SecretFilter, TestTrace, record_api_calls, without_secrets

# The name under which every Marvin asks the logging module for its logger.
_LOGGER = "CSLog"
_SUCCESS = "SUCCESS"
# What Marvin's resources are named after outside of a class; without a name it cannot make an account.
_NO_TEST = "marvinTest"
_DEFAULT_HYPERVISOR = "XenServer"
# Seconds that a server may take to answer the one question before Marvin, which would wait for ever, is started.
_PATIENCE = 15.0


@dataclass(frozen=True)
class Connection:
    """Marvin, connected to one environment. ``config`` is Marvin's own parsed configuration object."""

    marvin: Marvin
    test_client: Any = field(repr=False)
    config: Any = field(repr=False)  # its repr shows every password
    logger: logging.Logger
    log_folder: Path
    zone: str | None
    hypervisor: str | None
    _recorder: Recorder = field(repr=False)
    _run_log: RunLog = field(repr=False)
    _mask: Mask = field(repr=False)

    def bind(self, cls: type[Any]) -> None:
        """Give a class what the nose plugin gives it: log functions, clients, configuration; and its ``user``, if it has one.

        Raises `EnvironmentUnusable` where that user's client cannot be had.
        """
        given = {
            "debug": self.logger.debug,
            "info": self.logger.info,
            "warn": self.logger.warning,
            "error": self.logger.error,
            "testClient": self.test_client,
            "config": self.config,
            "clstestclient": self.test_client,
        }
        for name, value in given.items():
            setattr(cls, name, value)
        # The plugin does so for the first class of its process; the next ones would be called after the test before them.
        self.test_client.identifier = cls.__name__
        self._run_log.bound(cls)
        if hasattr(cls, "user"):
            self._become_user(cls)

    def before_test(self, class_name: str, test_name: str, description: str) -> None:
        """Before a test: Marvin names resources after ``<Class>-<test>``, its logger after ``description`` (``str(test)``)."""
        self.test_client.identifier = f"{class_name}-{test_name}"
        self._run_log.started(test_name, description)

    def after_test(
        self,
        test_name: str,
        outcome: AttemptOutcome,
        seconds: float,
        error_text: str | None = None,
        error: BaseException | None = None,
    ) -> None:
        """After a test: its lines in results.txt and in the log.

        ``error_text``: the failure in short, or why it was skipped; ``error``: the failure, for its traceback.
        """
        self._run_log.finished(test_name, outcome, seconds, error_text, error)

    def after_class_part(
        self,
        cls: type[Any],
        part: str,
        outcome: AttemptOutcome,
        error_text: str | None = None,
        error: BaseException | None = None,
    ) -> None:
        """After a class's set-up or tear-down that went wrong, or skipped the class: its lines, once for each ``part``."""
        self._run_log.class_ended(cls, part, outcome, error_text, error)

    def take_trace(self) -> TestTrace:
        """What Marvin did since the last call of this: log lines and API calls, masked."""
        return self._recorder.take()

    def api_client(self) -> Any:
        """Marvin's API client, as ``testClient.getApiClient()`` gives it to tests."""
        return self.test_client.getApiClient()

    @property
    def moved(self) -> Path | None:
        """Where the log folder lies since `close`."""
        return self._run_log.moved

    def close(self, echo: Callable[[str], None] = print) -> None:
        """Close Marvin's logs, move their folder to ``MarvinLogs/<module>_<random>`` and say so by ``echo``."""
        self._run_log.close(echo)

    def _become_user(self, cls: type[Any]) -> None:
        # As the nose plugin: the test client keeps the user's API client; classes get at it by getUserApiClient.
        try:
            client = self.test_client.getUserApiClient(cls.UserName, cls.DomainName, cls.AcctType)
        except Exception as error:
            client, cause = None, without_secrets(f"{type(error).__name__}: {error}", self._mask)
        else:
            cause = _refusal(self._recorder.last_call) or "Marvin gives no reason"
        if client is None or isinstance(client, (str, int)):
            raise EnvironmentUnusable(f"no API client for the user {cls.UserName!r} of {cls.__qualname__}: {cause}")


def connect(
    marvin: Marvin,
    config_path: Path,
    *,
    zone: str | None = None,
    hypervisor: str | None = None,
    log_folder: Path | None = None,
    deploy: bool = False,
    mask: Mask | None = None,
) -> Connection:
    """Start Marvin for the environment of a Marvin config (secrets filled in), deploying its zones first if ``deploy``.

    ``zone`` and ``hypervisor`` default to the first of the config; ``log_folder`` to the config's, else the working
    directory; Marvin's logs go to ``MarvinLogs`` below it. ``mask`` hides secrets in logs and messages (default: those of the
    config). Raises `UserError` for a config or folder that cannot be used, `EnvironmentUnusable` with the cause for a server.
    """
    settings = load_marvin_config(config_path)
    mask = mask or Masker(secrets_in(settings)).mask
    # Marvin reads one attribute too many of an absent part; its own defaults serve for an empty one.
    if marvin.kind == "modern" and settings.get("dbSvr") is None:
        settings["dbSvr"] = {}
    zone = zone or _first_zone(settings)
    hypervisor = hypervisor or _first_hypervisor(settings) or _DEFAULT_HYPERVISOR
    folder = (log_folder or Path((settings.get("logger") or {}).get("LogFolderPath") or ".")).absolute()
    _check_folder(folder)
    test_data = _test_data(settings, config_path) if marvin.kind == "4.4.0" else None
    _check_server(settings)

    install_finder(marvin)
    modules = _import_marvin(marvin)
    record_api_calls(modules["marvin.cloudstackConnection"])
    recorder = Recorder(mask)
    logger = _fresh_logger(recorder, mask)
    # One object for all connections of a process would write each one's log into the folders of the others.
    modules["marvin.marvinLog"].MarvinLog._instance = None

    output = io.StringIO()
    try:
        with _settings_given(modules, marvin, settings), contextlib.redirect_stdout(output):
            started = _start(modules, marvin, config_path, zone, hypervisor, folder, deploy)
    except Exception as error:
        close_handlers(logger)
        cause = _refusal(recorder.last_call) or without_secrets(f"{type(error).__name__}: {error}", mask)
        raise EnvironmentUnusable(f"Marvin cannot be started: {cause}") from None
    if started is None:
        close_handlers(logger)
        cause = _refusal(recorder.last_call) or _last_line(output.getvalue(), mask) or "Marvin gives no reason"
        what = "Marvin could not deploy the data center" if deploy else "Marvin cannot use this environment"
        raise EnvironmentUnusable(f"{what}: {cause}", hint=_hint(recorder.last_call))
    # Marvin holds on to its logger; in the registry pytest's capture would find it and repeat its lines.
    logging.Logger.manager.loggerDict.pop(_LOGGER, None)
    init, working, results = started
    client = init.getTestClient()
    client.identifier = _NO_TEST
    if marvin.kind == "4.4.0":
        client.zone_for_tests, client.hypervisor_for_tests, client.test_data = zone, hypervisor, test_data
        client.getApiClient().hypervisor = hypervisor
    recorder.take()
    return Connection(
        marvin=marvin,
        test_client=client,
        config=init.getParsedConfig(),
        logger=logger,
        log_folder=working,
        zone=zone,
        hypervisor=hypervisor,
        _recorder=recorder,
        _run_log=RunLog(logger, results, working, folder, mask),
        _mask=mask,
    )


_MODULES = ("cloudstackConnection", "configGenerator", "jsonHelper", "marvinInit", "marvinLog")


def _import_marvin(marvin: Marvin) -> dict[str, Any]:
    try:
        return {name: importlib.import_module(name) for name in (f"marvin.{each}" for each in _MODULES)}
    except ImportError as error:
        raise UserError(
            f"{marvin} cannot be imported: {error}",
            file=marvin.path,
            hint=f"It needs a library that is not installed: pip install {error.name.partition('.')[0]}"
            if error.name
            else None,
        ) from None


def _start(
    modules: Mapping[str, Any],
    marvin: Marvin,
    config_path: Path,
    zone: str | None,
    hypervisor: str | None,
    folder: Path,
    deploy: bool,
) -> tuple[Any, Path, Any] | None:
    """Marvin's own start: (MarvinInit, its working log folder, its results.txt), or None where it failed."""
    marvin_init = modules["marvin.marvinInit"].MarvinInit
    if marvin.kind == "modern":
        init = marvin_init(str(config_path), deploy, None, zone, hypervisor, str(folder))
        if init.init() != _SUCCESS:
            return None
        return init, Path(init.getLogFolderPath()), init.getResultFile()
    # 4.4.0's flag says "load only", and it makes its folder right below the given one.
    init = marvin_init(str(config_path), not deploy, str(folder / "MarvinLogs"))
    done = init.init() == _SUCCESS
    results = init.getDebugFile()
    if not done:
        if results is not None:
            results.close()
        return None
    return init, Path(init.logFolderPath), results


@contextlib.contextmanager
def _settings_given(modules: Mapping[str, Any], marvin: Marvin, settings: Mapping[str, Any]) -> Iterator[None]:
    """Let Marvin take the settings as they were read here: YAML as well as JSON, absent parts filled in."""
    holder = modules["marvin.marvinInit"] if marvin.kind == "modern" else modules["marvin.configGenerator"]
    read = holder.getSetupConfig
    parsed = modules["marvin.jsonHelper"].jsonLoader(settings)
    _keep_port(parsed.mgtSvr[0])
    holder.getSetupConfig = lambda _file: parsed
    try:
        yield
    finally:
        holder.getSetupConfig = read


def _keep_port(server: Any) -> None:
    """A Marvin that got itself keys goes on at port 8080: right only beside the default of the open port, 8096."""
    if server.port == INTEGRATION_PORT:
        return

    class KeepsPort(type(server)):  # type: ignore[misc]
        def __setattr__(self, name: str, value: Any) -> None:
            if name != "port":
                super().__setattr__(name, value)

    server.__class__ = KeepsPort


def _fresh_logger(recorder: Recorder, mask: Mask) -> logging.Logger:
    """The logger that Marvin will find: of this connection alone, without secrets, not repeated by pytest's own capture."""
    logging.Logger.manager.loggerDict.pop(_LOGGER, None)
    logger = logging.getLogger(_LOGGER)
    logger.propagate = False
    logger.addFilter(SecretFilter(mask).filter)
    logger.addHandler(recorder)
    return logger


def _check_folder(folder: Path) -> None:
    place = folder / "MarvinLogs"
    try:
        place.mkdir(parents=True, exist_ok=True)
        probe = place / ".writable"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"Marvin's logs cannot be written there: {error.strerror}",
            file=place,
            hint="Name another: --log-folder-path=DIR",
        ) from None


def _check_server(settings: Mapping[str, Any]) -> None:
    from cs_matrix_pytest.environments.probe import reachable

    trouble = reachable(settings, _PATIENCE)
    if trouble is not None:
        raise EnvironmentUnusable(trouble)


def _test_data(settings: Mapping[str, Any], config_path: Path) -> dict[str, Any]:
    """What was written for 4.4.0, with the top-level keys of the config's own ``TestData.Path`` (JSON) put over it.

    4.4.0 itself never reads that file, and configurations name ones that are not there: then there is nothing to put over.
    """
    data = shipped_test_data()
    own = (settings.get("TestData") or {}).get("Path")
    if own and Path(own).is_file():
        try:
            data.update(json.loads(Path(own).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise UserError(
                f"the test data {own} cannot be read: {error}", file=config_path, key="TestData.Path"
            ) from None
    return data


def _first_zone(settings: Mapping[str, Any]) -> str | None:
    return next((zone.get("name") for zone in settings.get("zones") or ()), None)


def _first_hypervisor(settings: Mapping[str, Any]) -> str | None:
    clusters = (
        cluster
        for zone in settings.get("zones") or ()
        for pod in zone.get("pods") or ()
        for cluster in pod.get("clusters") or ()
    )
    named = (cluster.get("hypervisor") for cluster in clusters)
    return settings["mgtSvr"][0].get("hypervisor") or next(filter(None, named), None)


def _refusal(call: ApiCall | None) -> str | None:
    """What the server said last, if that was a refusal: the cause that Marvin swallows."""
    if call is None or call.error is None:
        return None
    facts = f"HTTP {call.status}" if call.status is not None else "no answer"
    return f"{call.command}: {facts}, {call.error}"


def _hint(call: ApiCall | None) -> str | None:
    if call is None or call.error is None:
        return None
    if call.status == 401:
        return "Check apiKey and securityKey of mgtSvr, and that the port is the one that they are for."
    return "Is the management server up, and its port right?" if call.status is None else None


def _last_line(output: str, mask: Mask) -> str | None:
    lines = [line.strip() for line in output.splitlines() if "xception" in line]
    return without_secrets(lines[-1], mask) if lines else None
