"""``cs-matrix simulator``: a simulated CloudStack for any client."""

from __future__ import annotations

import argparse
import signal
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from cs_matrix_pytest.errors import UserError

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator import Simulator

NETWORKING = ("basic", "advanced", "advanced-sg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cs-matrix simulator``."""
    parser.add_argument("--port", type=int, default=8096, metavar="N", help="integration port (default: 8096; 0: any)")
    parser.add_argument("--api-port", type=int, default=8080, metavar="N", help="API port (default: 8080; 0: any)")
    parser.add_argument(
        "--db-port", type=int, metavar="N", help="database port (default: 3306, or any where that is taken; 0: any)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (default: loopback only)"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="a Marvin config: its zones are deployed instead of a ready zone"
    )
    parser.add_argument("--hypervisor", default="simulator", help="hypervisor of the ready zone (default: simulator)")
    parser.add_argument(
        "--networking", choices=NETWORKING, default="advanced", help="networking of the ready zone (default: advanced)"
    )

    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="load the state from here, if it is there, and save it when the server ends",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted or shut down. Prints where, and keys of the admin."""
    from cs_matrix_pytest.simulator import Simulator

    simulator = Simulator(
        hypervisor=args.hypervisor,
        networking=args.networking,
        ready=args.config is None,
        host=args.host,
        integration_port=args.port,
        api_port=args.api_port,
        database_port=args.db_port,
        state=args.state,
    )
    stopped = threading.Event()
    simulator.cloud.when_exiting.append(stopped.set)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())
    try:
        simulator.start()
    except OSError as error:
        raise UserError(
            f"cannot listen on {args.host}: {error.strerror or error}",
            hint="Other ports: --port, --api-port and --db-port; 0 takes any that is free.",
        ) from None
    complete = False
    try:
        if args.config is not None and not simulator.was_loaded:
            _deploy(simulator, args.config)
        complete = True
        _announce(simulator, args.host, args.state)
        stopped.wait()
    finally:
        # Half a deployment is nothing to go on with.
        simulator.stop(save=complete)
    return 0


def _deploy(simulator: Simulator, config: Path) -> None:
    """Have Marvin deploy the zones of a config; its waiting takes simulated time."""
    from cs_matrix_pytest.environments.marvin_config import load_marvin_config, write_private
    from cs_matrix_pytest.marvin_bridge.connect import connect
    from cs_matrix_pytest.marvin_bridge.locate import locate
    from cs_matrix_pytest.simulator.virtual_time import VirtualTime

    server = simulator.marvin_config()
    wanted = {**load_marvin_config(config), **{key: server[key] for key in ("mgtSvr", "dbSvr")}}
    with (
        write_private(wanted) as private,
        tempfile.TemporaryDirectory() as logs,
        VirtualTime(simulator.cloud),
    ):
        connection = connect(
            locate(), private, zone=None, hypervisor=None, log_folder=Path(logs), deploy=True, mask=lambda text: text
        )
        connection.close(echo=lambda _: None)


def _announce(simulator: Simulator, host: str, state: Path | None) -> None:
    from cs_matrix_pytest.simulator.sql.server import PASSWORD, USER

    api_key, secret_key = simulator.admin_keys()
    print(f"CloudStack {simulator.cloud.api.acs_version} (simulated), admin password: password")
    print(f"  integration port  http://{host}:{simulator.integration_port}/?command=listZones&response=json")
    print(f"  API               http://{host}:{simulator.api_port}/client/api")
    print(f"  database          mysql://{USER}:{PASSWORD}@{host}:{simulator.database_port}/cloud")
    if state is not None:
        print(f"  state             {state} ({'loaded' if simulator.was_loaded else 'a new one'})")
    print(f"  export CLOUDSTACK_ENDPOINT=http://{host}:{simulator.api_port}/client/api")
    print(f"  export CLOUDSTACK_KEY={api_key}")
    print(f"  export CLOUDSTACK_SECRET={secret_key}", flush=True)
