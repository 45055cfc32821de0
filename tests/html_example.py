"""Records as labs would give them: the shipped catalogue's features in many contexts, at several versions, run by run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from cs_matrix_pytest.environments.model import Context, Hypervisor, Storage
from cs_matrix_pytest.outcomes.features import FeatureCatalogue
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

HYPERVISORS = (
    Hypervisor("kvm", "el8"),
    Hypervisor("kvm", "el9"),
    Hypervisor("kvm", "ubuntu22"),
    Hypervisor("kvm", "ubuntu24"),
    Hypervisor("vmware", "70u3"),
    Hypervisor("vmware", "80u3"),
    Hypervisor("xcpng", "8.3"),
    Hypervisor("xenserver", "8.4"),
)
NETWORKING = ("advanced", "advanced-sg", "basic")
STORAGE = (Storage(protocol="nfs"), Storage(protocol="iscsi"), Storage("local"))
MANAGEMENT = ("el9", "ubuntu24")

MESSAGES = (
    "AssertionError: rule is still there after its deletion",
    "CloudstackAPIException: Execute cmd: deployVirtualMachine failed, due to: errorCode: 533, "
    "errorText: Unable to create a deployment for VM instance due to lack of capacity",
    "AssertionError: SSH to the VM through the public IP failed: timed out after 300 s",
    "Exception: snapshot stayed in BackingUp for 1800 s",
)


@dataclass(frozen=True)
class Catalogue:
    """Stands where a FeatureCatalogue stands: a feature's id is the test's module."""

    features: dict

    def feature_of(self, test):
        return self.features[test.partition("/")[2].partition(".py")[0]]


def contexts(count: int) -> list[Context]:
    """At most 144 different ones."""
    every = [Context(*each) for each in product(HYPERVISORS, NETWORKING, STORAGE, MANAGEMENT)]
    return random.Random(1).sample(every, count)


def tests_of(features: list[str], dice: random.Random) -> dict[str, list[str]]:
    words = ("deploy", "start", "stop", "migrate", "attach", "resize", "update", "list", "remove", "as_domain_admin")
    return {
        feature: [
            f"smoke/{feature}.py::Test{feature.title().replace('-', '')}::test_{number:02}_{dice.choice(words)}"
            for number in range(1, dice.choice((2, 3, 4, 6, 8, 14)) + 1)
        ]
        for feature in features
    }


def records(
    features: list[str], *, places: int = 24, versions: tuple[str, ...] = ("4.22.0.0",), runs: int = 3, seed: int = 1
) -> Iterator[RecordedRun]:
    """A run of everything for each context, version and day; some tests fail, are flaky, skipped or never reached."""
    dice = random.Random(seed)
    tests = tests_of(features, dice)
    broken = {feature: dice.choice(MESSAGES) for feature in features if dice.random() < 0.06}
    for version, (number, context) in product(versions, enumerate(contexts(places))):
        name = f"{context.hypervisor.type}-{context.hypervisor.version}-{number:03}"
        lab = ("apache", "acme", "uni")[number % 3]
        down = number % 17 == 5
        mood = random.Random(f"{seed} {version} {number}")
        fates = {test: _fate(feature, broken, mood, down) for feature in features for test in tests[feature]}
        for day in range(1, runs + 1):
            started = f"2026-0{1 + versions.index(version) % 9}-{day:02}T08:00:00.000Z"
            run = Run(
                f"{started[:10]}-{lab}-{number:03}-{version}",
                started,
                lab,
                {name: RunEnvironment(context.as_dict(), version, f"c{day}")},
            )
            lines = [_line(test, name, started, fate, mood) for test, fate in fates.items()]
            yield RecordedRun(
                run,
                tuple(line for line in lines if isinstance(line, Attempt)),
                tuple(line for line in lines if isinstance(line, Untested)),
                ended=True,
            )


def _fate(feature, broken, mood, down):
    if down:
        return "blocked"
    if feature in broken and mood.random() < 0.25:
        return broken[feature]
    roll = mood.random()
    for below, fate in ((0.004, "flaky"), (0.10, "not applicable"), (0.14, "skipped")):
        if roll < below:
            return fate
    return "passed"


def _line(test, environment, started, fate, mood):
    if fate == "not applicable":
        return Untested(test, environment, Reason(ReasonCode.NOT_APPLICABLE, "needs required_hardware"))
    message = {"blocked": "nothing listens on 10.1.1.9:8096", "skipped": "the template is not registered"}.get(fate)
    outcome = fate if fate in ("passed", "skipped", "blocked") else "failed"
    if fate == "flaky":
        outcome = mood.choice(("passed", "failed"))
        message = MESSAGES[2] if outcome == "failed" else None
    elif outcome == "failed":
        message = fate
    signature = f"{message} [5f0c21aa]" if outcome == "failed" else None
    return Attempt(test, environment, AttemptOutcome(outcome), started, 1.0, signature=signature, message=message)


def shipped_features(catalogue: FeatureCatalogue) -> Catalogue:
    return Catalogue(dict(catalogue.features))
