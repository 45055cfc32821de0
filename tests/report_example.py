"""A small matrix with all four outcomes, and one whose every text is hostile."""

from __future__ import annotations

from cs_matrix_pytest.environments.model import Context, Hypervisor, Storage
from cs_matrix_pytest.outcomes.features import Feature
from cs_matrix_pytest.outcomes.matrix import Matrix, compute_matrix
from cs_matrix_pytest.outcomes.model import (
    Attempt,
    AttemptOutcome,
    Reason,
    ReasonCode,
    RecordedRun,
    Run,
    RunEnvironment,
    Untested,
)

HOSTILE = "evil\x1b[2J\x1b]8;;http://x\x07 [bold red]\r\nclear\x00\x9b \u202elink\ud800\u2028 fine\x1b"

VM, ACL = "smoke/test_vm.py::TestVM", "smoke/test_acl.py::TestAcl"


class Catalogue:
    """Stands where a FeatureCatalogue stands: by the module's name."""

    def __init__(self, features):
        self._features = features

    def feature_of(self, test):
        return self._features["acl" if "acl" in test else "vm"]


CATALOGUE = Catalogue({"vm": Feature("vm", "VM lifecycle", "compute"), "acl": Feature("acl", "ACLs", "network")})


def _attempt(test, environment, outcome, day, message=None):
    started = f"2026-01-{day:02}T00:00:01Z"
    signature = message and f"{message} [00000000]"
    return Attempt(test, environment, AttemptOutcome(outcome), started, 1.0, signature=signature, message=message)


def example_records(days: int = 2) -> list[RecordedRun]:
    """Two runs in three environments: kvm, xen and one that is down."""
    contexts = {
        "kvm": Context(Hypervisor("kvm", "el9"), storage=Storage(protocol="nfs")),
        "xen": Context(Hypervisor("xenserver", "8.4")),
        "down": Context(Hypervisor("vmware"), networking="basic"),
    }
    records = []
    for day in range(1, days + 1):
        run = Run(
            run=f"2026010{day}T000000Z-00000000",
            started=f"2026-01-{day:02}T00:00:00Z",
            lab="local",
            environments={name: RunEnvironment(context.as_dict(), "4.22.0.0") for name, context in contexts.items()},
        )
        flaky = "passed" if day % 2 else "failed"
        attempts = (
            _attempt(f"{VM}::test_stop", "kvm", "passed", day),
            _attempt(f"{VM}::test_start", "kvm", "passed", day),
            _attempt(f"{ACL}::test_deny", "kvm", "failed", day, "AssertionError: rule is still there"),
            _attempt(f"{ACL}::test_allow", "kvm", "passed", day),
            _attempt(f"{VM}::test_stop", "xen", "passed", day),
            _attempt(f"{VM}::test_start", "xen", flaky, day, None if flaky == "passed" else "E: no capacity"),
            _attempt(f"{VM}::test_stop", "down", "blocked", day, "connection refused"),
            _attempt(f"{ACL}::test_deny", "down", "blocked", day, "connection refused"),
        )
        reason = Reason(ReasonCode.NOT_APPLICABLE, "tagged advanced; this environment is basic")
        records.append(
            RecordedRun(run, attempts, (Untested(f"{ACL}::test_allow", "down", reason),), ended=True, exit=1)
        )
    return records


def example_matrix(**more) -> Matrix:
    return compute_matrix(example_records(), CATALOGUE, generated="2026-01-03T00:00:00Z", **more)


def hostile_matrix() -> Matrix:
    """Names, versions, messages, reasons and titles that would take over a terminal or break XML."""
    context = Context(Hypervisor(HOSTILE), HOSTILE, Storage(HOSTILE), HOSTILE, (HOSTILE,))
    run = Run("r" + HOSTILE, "2026-01-01T00:00:00Z", HOSTILE, {HOSTILE: RunEnvironment(context.as_dict(), HOSTILE)})
    attempts = [
        _attempt(f"{HOSTILE}{name}", HOSTILE, outcome, 1, HOSTILE)
        for name, outcome in (("acl", "failed"), ("vm", "passed"), ("vm", "failed"))
    ]
    untested = [Untested(f"{HOSTILE}{n}", HOSTILE, Reason(ReasonCode.BLOCKED, HOSTILE), HOSTILE) for n in range(2)]
    catalogue = Catalogue({"vm": Feature(HOSTILE, HOSTILE, HOSTILE), "acl": Feature("acl", HOSTILE)})
    record = RecordedRun(run, tuple(attempts), tuple(untested), warnings=(HOSTILE,))
    return compute_matrix([record], catalogue, generated="2026-01-03T00:00:00Z")
