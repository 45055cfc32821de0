"""The bot's comments in the forms that they have had, what stands in records of them, and what hostile ones do: nothing."""

from __future__ import annotations

import html
import io
import json
import re
import sys
import time
from pathlib import Path

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cs_matrix_pytest import cli
from cs_matrix_pytest.importers.comment_report import BUILD_FAILED, PACKAGING, RESULT, Count
from cs_matrix_pytest.importers.comment_text import read_comment
from cs_matrix_pytest.importers.comments import Comment, runs_of
from cs_matrix_pytest.importers.destination import Destination
from cs_matrix_pytest.importers.stated import Stated
from cs_matrix_pytest.outcomes.features import load_catalogue
from cs_matrix_pytest.outcomes.lines import SCHEMA_FILE
from cs_matrix_pytest.outcomes.matrix import compute_matrix
from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome, Counts, Outcome
from cs_matrix_pytest.outcomes.record import read_folder, read_record
from cs_matrix_pytest.reports import matrix_json

SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "trillian-comments.jsonl"

CATALOGUE = load_catalogue()

HEAD = "<b>Trillian test result (tid-12)</b>\nEnvironment: kvm-el9 (x2), Advanced Networking with Mgmt server 9\n"
TABLE = "\nTest | Result | Time (s) | Test File\n--- | --- | --- | ---\n"
WHEN = "2024-05-06T07:08:09Z"


def cs_matrix(*words: object) -> int:
    return cli.main([str(word) for word in words])


def told(text: str) -> list[str]:
    """What the lines of the records of a comment say, a word each."""
    lines = []
    for run in runs_of(Comment(text, WHEN, 5), "x", Stated(), WHEN):
        for line in run.lines:
            if isinstance(line, Counts):
                lines.append(f"{line.suite or line.level}: {line.ok} {line.failed} {line.did_not_run}")
            elif isinstance(line, Attempt):
                lines.append(f"{line.test} {line.outcome.value} {line.level} {line.phase}")
            else:
                lines.append(f"{line.test} {line.reason.code.value} {line.level}")
    return lines


# What a comment says of its environment


@pytest.mark.parametrize(
    ("environment", "hypervisor", "version", "networking", "management"),
    [
        ("kvm-centos7 (x2), Advanced Networking", "kvm", "centos7", "advanced", None),
        ("kvm-centos6 (x3), Advanced Networking with Mgmt server 6", "kvm", "centos6", "advanced", "centos6"),
        ("vmware-55u3 (x2), Advanced Networking with Mgmt server 7", "vmware", "55u3", "advanced", "centos7"),
        ("xenserver-65sp1 (x2), Basic Networking with Mgmt server u18", "xenserver", "65sp1", "basic", "ubuntu18"),
        ("kvm-alma9 (x2), zone: Advanced Networking with Mgmt server a9", "kvm", "alma9", "advanced", "alma9"),
        ("kvm-rocky8 (x2), zone: Advanced Networking with Mgmt server r8", "kvm", "rocky8", "advanced", "rocky8"),
        ("kvm-suse15 (x2), Advanced Networking with Mgmt server s15", "kvm", "suse15", "advanced", "suse15"),
        ("xcpng82 (x2), zone: Advanced Networking with Mgmt server ol9", "xenserver", "xcpng82", "advanced", "ol9"),
        ("xcp-ng-8.3, Advanced Networking", "xenserver", "xcpng8.3", "advanced", None),
        ("kvm-ol8 (x2), zone: Advanced_with_Security_Groups Networking with Mgmt server ol8", "kvm", "ol8", "advanced-sg", "ol8"),
        ("kvm-ol8 (x2), zone: Edge Networking with Management server: debian12", "kvm", "ol8", "edge", "debian12"),
        ("KVM-EL10", "kvm", "el10", "unknown", None),
        ("hyperv-2019 (x1)", "hyperv", "2019", "unknown", None),
        ("newvisor-3 (x2), Advanced Networking", "newvisor", "3", "advanced", None),
        ("xs84 (2 hosts), Advanced Networking with Mgmt server d12", "xenserver", "84", "advanced", "debian12"),
        ("vsphere-80u3 (x2), Basic Networking", "vmware", "80u3", "basic", None),
        ("suse15 (x2), Advanced Networking", "kvm", "suse15", "advanced", None),
        ("`kvm-alma9` (x2), Advanced Networking with Mgmt server `a9`", "kvm", "alma9", "advanced", "alma9"),
        ("kvm-ol8 (x2), Advanced Networking, Management server mgmt: centos7", "kvm", "ol8", "advanced", "centos7"),
        ("kvm-ol8 (x2), Advanced Networking with Mgmt server Ubuntu 22.04", "kvm", "ol8", "advanced", "ubuntu22.04"),
        ("kvm-ol8 (x1,000), Advanced Networking with Mgmt server CentOS Linux 7", "kvm", "ol8", "advanced", "centos7"),
    ],
)  # fmt: skip
def test_environment(environment, hypervisor, version, networking, management):
    [run] = runs_of(
        Comment(f"Environment: {environment}\nTest completed. 1 look ok, 2 have errors"), "x", Stated(), WHEN
    )
    [name] = run.environments
    context = run.environments[name].context
    assert name == re.split(r"[ ,]", environment)[0].strip("`")
    assert context["hypervisor"] == {"type": hypervisor, "version": version}
    assert (context["networking"], context["management_os"]) == (networking, management)
    assert context["extras"] == []


@pytest.mark.parametrize(
    ("environment", "name", "hypervisor", "version"),
    [
        ("vmware 8.0u3 (x2), Advanced Networking", "vmware-8.0u3", "vmware", "8.0u3"),
        ("KVM CentOS 7 (x2)", "KVM-CentOS7", "kvm", "centos7"),
        ("xcp-ng 8.3, Advanced Networking", "xcp-ng-8.3", "xenserver", "xcpng8.3"),
        ("kvm-ol8 and 2 more", "kvm-ol8", "kvm", "ol8"),
    ],
)
def test_environment_in_words(environment, name, hypervisor, version):
    [run] = runs_of(
        Comment(f"Environment: {environment}\nTest completed. 1 look ok, 2 have errors"), "x", Stated(), WHEN
    )
    assert list(run.environments) == [name]
    assert run.environments[name].context["hypervisor"] == {"type": hypervisor, "version": version}


@pytest.mark.parametrize(
    ("said", "scope", "protocol"),
    [
        (", Local storage", "local", None),
        (" and shared storage (Ceph)", "shared", "rbd"),
        (", Primary Storage: iSCSI", "unknown", "iscsi"),
        (" on PowerFlex storage", "unknown", "powerflex"),
        (", NFS", "unknown", "nfs"),
        ("\nStorage: local NFS", "local", "nfs"),
        (", secondary storage: NFS", "unknown", None),
        (", shared", "unknown", None),
    ],
)
def test_storage(said, scope, protocol):
    text = f"Environment: kvm-ol9 (x2), Advanced Networking with Mgmt server ol9{said}\n{TABLE}{ROW}"
    [run] = runs_of(Comment(text), "x", Stated(), WHEN)
    assert run.environments["kvm-ol9"].context["storage"] == {"scope": scope, "protocol": protocol}
    assert run.environments["kvm-ol9"].context["management_os"] == "ol9"


def test_all_facts_of_a_comment():
    text = (
        "<b>[XY] Trillian test result (tid-4711)</b>\n"
        "Environment: kvm-el9 (x3), zone: Advanced Networking with Mgmt server u24, Tungsten\n"
        "Total time taken: 1h 2m 3s\nACS version: 4.20.1.0\n"
        "Marvin logs: https://logs.example/pr815-t4711-kvm-el9.zip\n"
        "Smoke tests completed. 9 look OK, 2 have errors, 1 did not run\nAdditional tests completed. 4 look ok, 3 have error(s)\n"
    )
    [report] = read_comment(text)
    assert (report.kind, report.job, report.server, report.pull_request, report.hosts) == (RESULT, 4711, "XY", 815, 3)
    assert (report.acs_version, report.seconds, report.extras) == ("4.20.1.0", 3723, ("Tungsten",))
    assert report.counts == (Count("smoke", 9, 2, 1), Count("additional", 4, 3, None))
    [run] = runs_of(Comment(text), "x", Stated(acs_version="4.0"), WHEN)
    assert run.environments["kvm-el9"].acs_version == "4.20.1.0"
    assert run.environments["kvm-el9"].context["extras"] == ["Tungsten"]
    assert run.selection == {"trillian": 4711, "server": "XY", "pull_request": 815, "hosts": 3}


@pytest.mark.parametrize(("mark", "version"), [("-cs49", "4.9"), ("-cs410", "4.10"), ("", None)])
def test_the_first_titles_say_it_all(mark, version):
    text = (
        f"Trillian test result (trillian-pr816-7-xenserver-65sp1{mark}): \nTest completed. 4 look ok, 2 have errors\n"
    )
    [run] = runs_of(Comment(text), "x", Stated(), WHEN)
    [(name, environment)] = run.environments.items()
    assert (name, environment.acs_version) == ("xenserver-65sp1", version)
    assert run.selection == {"trillian": 7, "pull_request": 816}
    assert told(text) == ["module: 4 2 None"]
    assert told(text.replace("Test completed", "Environment: kvm-el9 (x2)\nTest completed")) == ["module: 4 2 None"]


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("Test completed. 3 look ok, 1 have errors", Count("test", 3, 1)),
        ("Test completed. 3 look OK, 1 have error(s)", Count("test", 3, 1)),
        ("Smoke tests completed. 3 look OK, 0 have error(s)", Count("smoke", 3, 0)),
        ("Smoke tests completed. 3 look OK, 1 have errors, 22 did not run", Count("smoke", 3, 1, 22)),
        ("**Component tests completed.** 3 look OK, 1 has error, 2 didn't run.", Count("component", 3, 1, 2)),
        ("Smoke tests completed: 3 looks ok; 4 failed", Count("smoke", 3, 4)),
        ("> Smoke tests completed. 3 look OK, 1 have errors", Count("smoke", 3, 1)),
    ],
)
def test_counts(line, count):
    [report] = read_comment(f"{HEAD}{line}\n")
    assert report.counts == (count,)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("31689s", 31689),
        ("31,689s", 31689),
        ("1,031,689 seconds", 1031689),
        ("26226 seconds", 26226),
        ("12.5 sec", 12.5),
        ("2 hours 5 min", 7500),
        ("?", None),
    ],
)
def test_total_time(text, seconds):
    [report] = read_comment(f"{HEAD}Total time taken: {text}\nTest completed. 1 look ok, 0 have errors")
    assert report.seconds == seconds


# What it says of tests


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ("test_02_stop | `Failure` | 3.25 | test_vm_life_cycle.py", "smoke/test_vm_life_cycle.py::test_02_stop failed test call"),
        ("test_02_stop | `Error` | 3.25 | test_vm_life_cycle.py", "smoke/test_vm_life_cycle.py::test_02_stop errored test call"),
        ("test_02_stop | Skipped | 0.00 | test_vm_life_cycle.py", "smoke/test_vm_life_cycle.py::test_02_stop skipped test call"),
        ("| test_02_stop | Success | 3.25 | test_vm_life_cycle.py |", "smoke/test_vm_life_cycle.py::test_02_stop passed test call"),
        ("`test_02_stop` | **FAILED** | - | `smoke/test_mine.py`", "smoke/test_mine.py::test_02_stop failed test call"),
        ("test_a | Failure | 1 | /marvin/tests/component/test_mine.py", "component/test_mine.py::test_a failed test call"),
        ("test_a | Failure | 1 | ../../etc/test_mine.py", "etc/test_mine.py::test_a failed test call"),
        ("test_a (integration.smoke.test_mine.TestMine) | Error | 1 | test_mine.py", "test_mine.py::TestMine::test_a errored test call"),
        ("TestMine.test_a | Error | 1 | test_mine.py", "test_mine.py::TestMine::test_a errored test call"),
        ("ContextSuite context=TestVMLifeCycle>:setup | `Error` | 0.00 | test_vm_life_cycle.py", "smoke/test_vm_life_cycle.py::TestVMLifeCycle errored class setup-class"),
        ("ContextSuite context=TestMine&gt;:teardown | `Error` | 0.00 | test_mine.py", "test_mine.py::TestMine errored class teardown"),
        ("&lt;nose.suite.ContextSuite context=integration.smoke.test_mine&gt;:setup | Error | 1 | test_mine.py", "test_mine.py errored module setup-class"),
        ("all_test_metrics_api | `Skipped` | --- | test_metrics_api.py", "smoke/test_metrics_api.py blocked module call"),
        ("all_test_mine | `Failure` | 3.0 | test_mine.py", "test_mine.py failed module call"),
        ("runTest | `Error` | 0.00 | test_mine.py", "test_mine.py not-collected module"),
        ("test_all_metrics | Skipped | --- | test_mine.py", "test_mine.py::test_all_metrics skipped test call"),
        (r"test_a\|b | Failure | 1 | test_mine.py", "test_mine.py::test_a|b failed test call"),
        ("test_a[kvm-1.5] | Failure | 1 | test_mine.py", "test_mine.py::test_a[kvm-1.5] failed test call"),
        ("TestMine.test_a[1.5] | Failure | 1 | test_mine.py", "test_mine.py::TestMine::test_a[1.5] failed test call"),
        ("test_a(1) | Failure | 1 | test_mine.py", "test_mine.py::test_a(1) failed test call"),
        ("test_from_4.20 | Failure | 1 | test_mine.py", "test_mine.py::test_from_4.20 failed test call"),
        ("test_a | `client.errors.ServerException` | 1 | test_mine.py", "test_mine.py::test_a errored test call"),
        ("test_a | `unittest.case.SkipTest` | 1 | test_mine.py", "test_mine.py::test_a skipped test call"),
        ("test_a | `exceptions.AssertionError` | 1 | test_mine.py", "test_mine.py::test_a failed test call"),
    ],
)  # fmt: skip
def test_row(row, line):
    assert told(HEAD + TABLE + row) == [line]


def test_rows_keep_their_seconds():
    [run] = runs_of(Comment(f"{HEAD}{TABLE}test_a | `Error` | 157.72 | test_b.py"), "x", Stated(), WHEN)
    assert [line.seconds for line in run.lines] == [157.72]


def test_a_test_that_failed_twice_has_two_attempts():
    row = "test_a | `Error` | 1 | test_b.py\n"
    assert told(HEAD + TABLE + row + row) == ["test_b.py::test_a errored test call"] * 2


def test_a_table_without_files_names_no_module():
    text = f"{HEAD}Test | Result | Time (s)\n--- | --- | ---\ntest_a | Success | 1.5\ntest_b | `Failure` | 2\nContextSuite context=TestC>:setup | `Error` | 0\n"
    assert told(text) == [
        "unknown::test_a passed test call",
        "unknown::test_b failed test call",
        "unknown::TestC errored class setup-class",
    ]


def test_columns_in_another_order():
    text = f"{HEAD}Test File | Test | Time | Result\n:--- | --- | ---: | ---\ntest_b.py | test_a | 7 | Error\n"
    assert told(text) == ["test_b.py::test_a errored test call"]


def test_where_a_file_lies():
    rows = "test_a | Error | 1 | test_new.py\ntest_a | Error | 1 | test_volumes.py\ntest_a | Error | 1 | test_acl_listvm.py\n"
    # No suite said: what only one suite has is there, what two have is in neither.
    assert told(f"{HEAD}Test completed. 1 look ok, 3 have errors{TABLE}{rows}")[1:] == [
        "test_new.py::test_a errored test call",
        "test_volumes.py::test_a errored test call",
        "component/test_acl_listvm.py::test_a errored test call",
    ]
    assert told(f"{HEAD}Smoke tests completed. 1 look ok, 3 have errors{TABLE}{rows}")[1:] == [
        "smoke/test_new.py::test_a errored test call",
        "smoke/test_volumes.py::test_a errored test call",
        "component/test_acl_listvm.py::test_a errored test call",
    ]
    said = "Intermittent failure detected: /marvin/tests/component/test_volumes.py\n"
    assert told(f"{HEAD}{said}{TABLE}{rows}")[2] == "component/test_volumes.py::test_a errored test call"


def test_what_is_counted_above_a_row_is_its_suite():
    smoke = f"Smoke tests completed. 1 look OK, 1 have errors{TABLE}test_a | Error | 1 | test_new.py\n"
    more = f"\nAdditional tests completed. 0 look ok, 1 have error(s)\n{TABLE}test_a | Error | 1 | test_newer.py\n"
    assert told(HEAD + smoke + more) == [
        "smoke: 1 1 None",
        "additional: 0 1 None",
        "smoke/test_new.py::test_a errored test call",
        "test_newer.py::test_a errored test call",
    ]


@pytest.mark.parametrize(
    ("rest", "passed"),
    [
        ("Test completed. 8 look ok, 0 have error(s)", ["smoke/test_hosts.py", "smoke/test_ssvm.py"]),
        ("Test completed. 8 look ok, 1 have error(s)", ["smoke/test_hosts.py", "smoke/test_ssvm.py"]),
        ("Test completed. 8 look ok, 2 have error(s)", []),
        (
            "Test completed. 8 look ok, 1 have error(s)\nTest | Result | Time (s)\n--- | --- | ---\n"
            "test_03_ssvm_internals | `Failure` | 1.0\ntest_01_clusters | Success | 1.0\n",
            ["smoke/test_hosts.py"],
        ),
    ],
)
def test_which_modules_passed_the_second_time(rest, passed):
    said = "".join(
        f"Tested twice for intermitten failure: /marvin/tests/smoke/{name}.py\n" for name in ("test_hosts", "test_ssvm")
    )
    [run] = runs_of(Comment(f"{HEAD}{said}{rest}", WHEN), "x", Stated(), WHEN)
    modules = [line for line in run.lines if isinstance(line, Attempt) and line.level == "module"]
    assert [line.test for line in modules if line.outcome is AttemptOutcome.PASSED] == passed
    assert [line.outcome for line in modules].count(AttemptOutcome.FAILED) == 2


def test_a_module_that_failed_again_did_not_pass():
    said = "Intermittent failure detected: /marvin/tests/smoke/"
    text = f"{HEAD}{said}test_b.py\n{said}test_c.py\nSmoke tests completed. 8 look OK, 1 have errors{TABLE}"
    rows = "test_a | `Error` | 1.00 | test_b.py\ntest_d | Skipped | 0.00 | test_c.py\n"
    assert told(text + rows)[1:4] == [
        "smoke/test_b.py failed module call",
        "smoke/test_c.py failed module call",
        "smoke/test_c.py passed module call",
    ]


@pytest.mark.parametrize(
    "word", ["Intermitten failure detected", "Intermittent failure detected", "Tested twice for intermitten failure"]
)
def test_intermittent_failures_are_unstable(tmp_path, word):
    file = tmp_path / "comment.md"
    file.write_text(
        f"{HEAD}{word}: /marvin/tests/smoke/test_ssvm.py\nSmoke tests completed. 8 look OK, 0 have errors\n"
    )
    assert cs_matrix("import", "comments", file, tmp_path / "d") == 0
    matrix = compute_matrix(read_folder(tmp_path / "d"), CATALOGUE, generated=WHEN)
    [cell] = matrix.cells
    [evidence] = cell.total.evidence
    assert (evidence.test, evidence.level, evidence.outcome) == ("smoke/test_ssvm.py", "module", Outcome.UNSTABLE)
    assert sum(cell.total.tests.values()) == 0


@pytest.mark.parametrize(
    "text",
    [
        "<b>Trillian Build Failed (tid-9)<b/>",
        "<b>[SF] Trillian Build Failed (tid-9)</b>",
        "**[LL] Trillian build failed (tid-9)**",
        "Trillian Env deployment failed (tid 9)",
    ],
)
def test_a_build_that_failed_blocks_the_environment(text):
    assert [(each.kind, each.job) for each in read_comment(text)] == [(BUILD_FAILED, 9)]
    assert told(text) == ["environment blocked environment call"]


def test_where_nothing_ran_the_environment_is_blocked():
    assert told(f"{HEAD}Smoke tests completed. 0 look OK, 0 have errors, 156 did not run\n") == [
        "smoke: 0 0 156",
        "environment blocked environment call",
    ]
    assert told(f"{HEAD}Smoke tests completed. 1 look OK, 0 have errors, 156 did not run\n") == ["smoke: 1 0 156"]
    row = "all_test_b | `Skipped` | --- | test_b.py\n"
    assert told(f"{HEAD}Smoke tests completed. 0 look OK, 0 have errors, 1 did not run\n{TABLE}{row}") == [
        "smoke: 0 0 1",
        "environment blocked environment call",
        "smoke/test_b.py blocked module call",
    ]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Packaging result: ✔centos6 ✖centos7 ✔debian. JID-43", [PACKAGING]),
        ("Packaging result [SF]: ✔️ el8 ✖️ debian. SL-JID 17", [PACKAGING]),
        (":white_check_mark: looks good", []),
        ("UI build: :heavy_check_mark:\nLive QA URL: https://qa.example/1 (QA-JID-1)", [PACKAGING]),
        ("@me a [SL] Trillian-Jenkins test job (ol8 mgmt + kvm-ol8) has been kicked to run smoke tests", []),
        ("@me a Jenkins job has been kicked to build packages. I'll keep you posted as I make progress.", []),
        (
            "I understand: \"help\", \"test\"\nHypervisor options: ['kvm-ol8', 'vmware-80u3']\nMgmt OS options: ['ol8']",
            [],
        ),
        ("The Trillian test result looks OK to me, 3 tests failed before", []),
        ("Trillian build failed (tid-5) as the template was missing", []),
        ("ACS CI BVT Run\nwas green", []),
        ("> ### CI RESULTS\n> Tests Run: 5\n> Failed: 0", []),
        ("tests completed fine", []),
        ("Test failed", []),
        ("<b>Trillian test result (tid-5)</b>\nEnvironment: kvm-el9 (x2)", []),
        ("Test | Result\n--- | ---\nlogin | works", []),
        ("Case | Outcome | Why\n--- | --- | ---\nlogin | ok | because\nlogout | error | no idea", []),
        ("", []),
        ("\0\n\x1b[2J", []),
    ],
)
def test_what_tells_no_test_result(text, kinds):
    assert [report.kind for report in read_comment(text)] == kinds
    assert told(text) == []


def test_a_title_may_go_on():
    text = HEAD.replace("</b>", "</b> for the other zone") + "Test completed. 1 look ok, 0 have errors"
    assert [report.job for report in read_comment(text)] == [12]


@pytest.mark.parametrize(
    "changed",
    [
        lambda text: text.replace("\n", "\r\n"),
        html.escape,
        lambda text: html.escape(html.escape(text)),
        lambda text: re.sub("</?b>", "**", text),
        lambda text: f"@you results:\n{text}\nedited",
        lambda text: re.sub(r"(?m)^(Environment|Total|Smoke|Inter)", r"1. \1", text),
        lambda text: re.sub(r"(?m)^(Environment|Total time taken):", r"- **\1:**", text),
        lambda text: text.replace("\n", "<br>"),
        lambda text: text.replace(" ", "\u00a0"),
        lambda text: f"<details><summary>x</summary>\n\n{text}\n</details>",
    ],
)
def test_how_it_is_written_changes_nothing(changed):
    text = (
        f"{HEAD.replace('<b>', '<b>[XY] ')}Total time taken: 12345 seconds\n"
        "Intermittent failure detected: /marvin/tests/smoke/test_ssvm.py\n"
        f"Smoke tests completed. 8 look OK, 1 have errors, 0 did not run\n{TABLE}{ROW}\n"
        "ContextSuite context=TestC>:setup | `Error` | 0.00 | test_c.py\n"
    )

    def all_of(text: str) -> list[object]:
        [run] = runs_of(Comment(text, WHEN), "x", Stated(), WHEN)
        return [run.environments, run.selection, list(run.lines), run.warnings]

    assert all_of(changed(text)) == all_of(text)


# What other labs' bots said


def test_a_bvt_run():
    text = (
        "### ACS CI BVT Run\n **Sumarry:**\n Build Number 77\n Hypervisor xenserver\n NetworkType Advanced\n"
        " Passed=30\n Failed=3\n Skipped=2\n\n**Failed tests:**\n* test_volumes.py\n\n * test_a Failed\n\n"
        "* test_service_offerings.py\n\n * test_b Failing since 4 runs\n\n"
        " * ContextSuite context=TestC>:setup Failing since 2 runs\n\n"
        "**Skipped tests:**\ntest_d\n\n**Passed test suits:**\ntest_ssvm.py\n\nThanks, all"
    )
    [run] = runs_of(Comment(text, WHEN, 5), "x", Stated(), WHEN)
    [(name, environment)] = run.environments.items()
    assert (name, run.lab, run.selection) == ("xenserver", "acs-ci", {"acs-ci": 77, "pull_request": 5})
    assert environment.context["hypervisor"] == {"type": "xenserver", "version": None}
    assert environment.context["networking"] == "advanced"
    assert told(text) == [
        "test: 30 3 2",
        "test_volumes.py::test_a failed test call",
        "smoke/test_service_offerings.py::test_b failed test call",
        "smoke/test_service_offerings.py::TestC failed class setup-class",
        "unknown::test_d skipped test call",
        "smoke/test_ssvm.py passed module call",
    ]
    [run] = runs_of(Comment(text), "x", Stated(lab="mine"), WHEN)
    assert run.lab == "mine"


def test_ci_results():
    rule = "-" * 70
    text = (
        "### CI RESULTS\n\n```\nTests Run: 20\n  Skipped: 2\n   Failed: 1\n   Errors: 2\n Duration: 1h 0m 5s\n```\n\n"
        f"**Summary of the problem(s):**\n```\nFAIL: Says what it does\n{rule}\nTraceback (most recent call last):\n"
        '  File "/data/cs/test/integration/smoke/test_mine.py", line 8, in test_a\n    self.fails()\n'
        '  File "/data/cs/test/integration/smoke/test_mine.py", line 2, in test_helper\n    self.fail()\n'
        f"AssertionError: no\n{rule}\nAdditional details in: /tmp/x/results.txt\n```\n"
        f"```\nERROR: test suite for <class 'integration.smoke.test_mine.TestMine'>\n{rule}\n```\n"
        f"```\nERROR: test_b (integration.smoke.test_mine.TestMine)\n{rule}\n```\n"
        f"```\nFAIL: Says nothing else\n{rule}\n```\n\n**Associated Uploads**\n"
    )
    [run] = runs_of(Comment(text, WHEN, 5), "x", Stated(), WHEN)
    assert (run.lab, run.selection, list(run.environments)) == ("upr", {"pull_request": 5}, ["unknown"])
    assert run.warnings == ["x: left out: FAIL: Says nothing else"]
    assert told(text) == [
        "test: 15 3 2",
        "smoke/test_mine.py::test_a failed test call",
        "smoke/test_mine.py::TestMine errored class setup-class",
        "smoke/test_mine.py::TestMine::test_b errored test call",
    ]
    assert [line.seconds for line in run.lines if isinstance(line, Counts)] == [3605]


def test_several_results_in_one_text():
    second = HEAD.replace("tid-12", "tid-13").replace("kvm-el9", "xcpng82")
    reports = read_comment(
        f"{HEAD}Test completed. 1 look ok, 2 have errors\n{second}Test completed. 3 look ok, 4 have errors\n"
    )
    assert [(each.job, each.environment, each.counts[0].ok) for each in reports] == [
        (12, "kvm-el9", 1),
        (13, "xcpng82", 3),
    ]


def test_a_piece_of_a_table_that_broke_off():
    assert told("test_a | Success | 5.1 | test_b.py\ntest_c | `Error` | 1.0 | test_b.py\n") == [
        "test_b.py::test_a passed test call",
        "test_b.py::test_c errored test call",
    ]


def test_a_table_as_html_and_windows_line_ends():
    text = f"{HEAD}<table><tr><th>Test</th><th>Result</th><th>Time (s)</th><th>Test File</th></tr><tr><td>test_a</td><td><code>Error</code></td><td>1</td><td>test_b.py</td></tr></table>"
    assert told(text) == ["test_b.py::test_a errored test call"]
    assert told((HEAD + TABLE + "test_a | Error | 1 | test_b.py\n").replace("\n", "\r\n")) == told(text)


# Files and records


def json_line(body: str, **more: object) -> str:
    return json.dumps({"body": body, "created_at": WHEN, **more}) + "\n"


GOOD = HEAD + "Test completed. 1 look ok, 2 have errors\n"


@pytest.mark.parametrize(
    ("content", "code", "records", "said"),
    [
        (GOOD.encode(), 0, 1, ""),
        (b"\xef\xbb\xbf" + json_line(GOOD).encode(), 0, 1, ""),
        (GOOD.encode("utf-16"), 0, 1, ""),
        (json.dumps([{"body": GOOD}, {"body": "LGTM"}]).encode(), 0, 1, ""),
        (json.dumps({"body": GOOD}, indent=1).encode(), 0, 1, ""),
        (json_line(GOOD).encode() + b'{"body": \n' + json_line(GOOD.replace("kvm", "vmware")).encode(), 0, 2, "comment 2 left out"),
        (b'{"body": \n' + json_line(GOOD).encode(), 0, 1, "comment 1 left out"),
        (json_line(GOOD).encode() + b'{"body": 5}\n[]\nnull\n', 0, 1, "comment 4 left out"),
        (json_line("LGTM").encode(), 2, 0, "no comment in it tells a result (1 read)"),
        (b"", 2, 0, "no comment in it tells a result"),
        (b"\xff\x00\x80\n" * 50, 2, 0, "no comment in it tells a result"),
        (b"[" * 100_000, 2, 0, "no comment in it tells a result"),
        (json_line(GOOD).encode() + b"{\n" * 70, 0, 1, "and 65 more left out"),
        (json_line(f"{GOOD}{TABLE}test_a | Exploded | 1 | test_b.py\n").encode(), 0, 1, "left out: test_a"),
    ],
)  # fmt: skip
def test_files(tmp_path, capsys, content, code, records, said):
    file = tmp_path / "in"
    file.write_bytes(content)
    assert cs_matrix("import", "comments", file, tmp_path / "d") == code
    assert len(read_folder(tmp_path / "d")) == records
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_standard_input(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert cs_matrix("import", "comments", "-", tmp_path) == 0
    assert len(read_folder(tmp_path)) == 1


def test_a_source_that_is_missing_does_not_keep_the_others(tmp_path, capsys):
    good = tmp_path / "good.md"
    good.write_text(GOOD)
    assert cs_matrix("import", "comments", tmp_path / "none", good, tmp_path / "d") == 2
    assert "none: the comments cannot be read: No such file" in capsys.readouterr().err
    assert len(read_folder(tmp_path / "d")) == 1


def test_facts_around_the_comment(tmp_path):
    file = tmp_path / "in"
    file.write_text(
        json_line(GOOD, html_url="https://github.example/acme/cloud/pull/77#issuecomment-1")
        + json_line("Trillian Build Failed (tid-3)", date="2020-01-01", pull_request={"number": 8}, repository="a/b")
    )
    more = (
        "--environment",
        "kvm-x",
        "--acs-version",
        "4.19",
        "--context",
        "hypervisor.type=kvm",
        "--context",
        "storage.scope=local",
    )
    assert cs_matrix("import", "comments", *more, file, tmp_path / "d") == 0
    good, failed = sorted(read_folder(tmp_path / "d"), key=lambda each: len(each.attempts))
    assert (good.run.selection["pull_request"], good.run.selection["repository"]) == (77, "acme/cloud")
    assert good.run.selection["url"] == "https://github.example/acme/cloud/pull/77#issuecomment-1"
    assert good.run.started == "2024-05-06T07:08:09.000Z"
    assert list(good.run.environments) == ["kvm-el9"]
    assert good.run.environments["kvm-el9"].context["storage"]["scope"] == "local"
    assert (failed.run.selection["pull_request"], failed.run.selection["repository"]) == (8, "a/b")
    assert list(failed.run.environments) == ["kvm-x"]
    assert failed.run.environments["kvm-x"].acs_version == "4.19"
    assert failed.attempts[0].outcome is AttemptOutcome.BLOCKED


def test_importing_twice_adds_nothing_whatever_changed_around_it(tmp_path, capsys):
    file = tmp_path / "in"
    file.write_text(json_line(GOOD + "Marvin logs: https://logs.example/pr5-t12-kvm-el9.zip", pull_request=5))
    assert cs_matrix("import", "comments", file, tmp_path / "d") == 0
    file.write_text(json_line("Edited:\n" + GOOD + "Marvin logs: [archive removed]", pull_request=5, id=3))
    assert cs_matrix("import", "comments", file, tmp_path / "d") == 0
    assert len(read_folder(tmp_path / "d")) == 1
    assert "0 records written" in capsys.readouterr().out


def test_equal_results_of_two_jobs_are_two_records(tmp_path):
    file = tmp_path / "in"
    other_job, other_day = GOOD.replace("tid-12", "tid-13"), GOOD.partition("\n")[2]
    file.write_text(
        json_line(GOOD)
        + json_line(other_job)
        + json_line(GOOD, pull_request=9)
        + json_line(other_day)
        + json.dumps({"body": other_day, "created_at": "2024-05-07T00:00:00Z"})
    )
    assert cs_matrix("import", "comments", file, tmp_path / "d") == 0
    assert len(read_folder(tmp_path / "d")) == 5


def test_records_keep_to_the_schema_and_counts_reach_the_matrix(tmp_path):
    file = tmp_path / "in"
    file.write_text(
        json_line(
            f"{HEAD}Total time taken: 9 seconds\nSmoke tests completed. 1 look OK, 2 have errors, 3 did not run{TABLE}test_a | Error | 1 | test_b.py"
        )
    )
    assert cs_matrix("import", "comments", file, tmp_path / "d") == 0
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text()))
    [record] = (tmp_path / "d").glob("run-*.jsonl")
    for line in record.read_text().splitlines():
        validator.validate(json.loads(line))
    matrix = matrix_json.as_dict(compute_matrix(read_folder(tmp_path / "d"), CATALOGUE, generated=WHEN))
    jsonschema.Draft202012Validator(json.loads(matrix_json.SCHEMA_FILE.read_text())).validate(matrix)
    counts = {
        "environment": "kvm-el9",
        "level": "module",
        "suite": "smoke",
        "ok": 1,
        "failed": 2,
        "did_not_run": 3,
        "seconds": 9.0,
    }
    assert matrix["runs"][0]["counts"] == [counts]


def test_a_malformed_count_is_left_out_with_a_warning(tmp_path):
    file = tmp_path / "in"
    file.write_text(GOOD)
    assert cs_matrix("import", "comments", file, tmp_path / "d") == 0
    [record] = (tmp_path / "d").glob("run-*.jsonl")
    for wrong in (
        '"ok": -1',
        '"ok": true',
        '"ok": "3"',
        '"seconds": "long"',
        '"seconds": NaN',
        '"suite": 5',
        '"environment": "other"',
    ):
        line = f'{{"kind": "counts", "environment": "kvm-el9", {wrong}}}\n'
        record.write_text(record.read_text() + line)
    [read] = read_folder(tmp_path / "d")
    assert [each.ok for each in read.counts] == [1]
    assert len(read.warnings) == 6  # five, and how many more


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not part of the project")
def test_the_samples(tmp_path):
    assert cs_matrix("import", "comments", SAMPLES, tmp_path) == 0
    records = read_folder(tmp_path)
    samples = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
    assert len(records) == len(samples)
    assert {each.run.selection["pull_request"] for each in records} == {each["pull_request"] for each in samples}
    attempts = [attempt for record in records for attempt in record.attempts]
    rows = sum(
        len(re.findall(r"^.*\| *`?(?:Failure|Error|Skipped)`? *\|.*$", each["body"], re.MULTILINE)) for each in samples
    )
    assert sum(each.level in ("test", "class") for each in attempts) == rows
    intermittent = sum(each["body"].count("failure detected:") for each in samples)
    modules = [each.outcome for each in attempts if each.level == "module"]
    assert modules.count(AttemptOutcome.FAILED) == intermittent
    assert intermittent - modules.count(AttemptOutcome.PASSED) == 3  # named in the table as well
    assert {name.partition("-")[0] for each in records for name in each.run.environments} == {
        "kvm",
        "vmware",
        "xenserver",
        "unknown",
    }


# Forms that nobody has seen yet

ROW = "test_a | `Failure` | 5.0 | test_b.py"
FAILED = ["test_b.py::test_a failed test call"]


@pytest.mark.parametrize(
    ("table", "lines"),
    [
        ("File | Name | Status\n---|---|---\ntest_b.py | test_a | Failure\n", FAILED),
        ("Outcome | Testcase | Module | Duration\n---|---|---|---\nFailure | test_a | test_b.py | 5 s\n", FAILED),
        (f"| Test | Result | Time (s) | Test File |\n| --- | --- | --- | --- |\n| {ROW} |\n", FAILED),
        (f"```{TABLE}{ROW}\n```\n", FAILED),
        (f"{TABLE}test_a | `Failure` | | test_b.py", FAILED),
        (f"{TABLE}test_a | `Failure` | test_b.py", FAILED),
        (f"{TABLE}{ROW} | more", FAILED),
        (f"{TABLE}test_a | :x: `Failure` | 5.0 | test_b.py", FAILED),
        (f"{TABLE}test_a | Failure (again) | 5.0 | test_b.py (smoke)", FAILED),
        (f"{TABLE}[test_a](https://logs.example/a) | `Failure` | 5.0 | [test_b.py](https://logs.example/b)", FAILED),
        (f"{TABLE}{ROW}\n\n{TABLE}test_c | Error | 1 | test_d.py", [*FAILED, "test_d.py::test_c errored test call"]),
        (f"{TABLE}test_b.py | Did not run | --- | ---", ["test_b.py blocked module call"]),
        (f"{TABLE}test_a | `Failure` | 5.0 | ---", ["unknown::test_a failed test call"]),
        ("Intermittent failures detected: test_b, smoke/test_c.py\n", [
            "smoke/test_c.py failed module call",
            "smoke/test_c.py passed module call",
            "test_b.py failed module call",
            "test_b.py passed module call",
        ]),
        ("Smoke tests completed. 1,140 look OK, 2 have errors, 0 did not run\n", ["smoke: 1140 2 0"]),
    ],
)  # fmt: skip
def test_near_forms_are_understood(table, lines):
    assert sorted(told(f"{HEAD}\n{table}")) == sorted(lines)


@pytest.mark.parametrize(
    ("table", "unread"),
    [
        (f"{TABLE}test_a | `Flaky` | 5.0 | test_b.py", ["test_a | `Flaky` | 5.0 | test_b.py"]),
        (f"{TABLE}test_a | `Failure` / `Success` | 5.0 | test_b.py", ["test_a | `Failure` / `Success` | 5.0 | test_b.py"]),
        (f"{TABLE}test_a | | 5.0 | test_b.py", ["test_a | | 5.0 | test_b.py"]),
        (f"{TABLE} | `Failure` | 5.0 | test_b.py", ["| `Failure` | 5.0 | test_b.py"]),
        (f"{TABLE}~~{ROW}~~", [f"~~{ROW}~~"]),
        ("Where | What | How\n---|---|---\ntest_b.py | test_a | Failure", ["Where | What | How", "test_b.py | test_a | Failure"]),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_said_and_nothing_made_of_it(table, unread):
    [run] = runs_of(Comment(f"{HEAD}\n{table}\n", WHEN), "x", Stated(), WHEN)
    assert (list(run.lines), list(run.environments)) == ([], ["kvm-el9"])
    assert run.warnings == [f"x: left out: {line}" for line in unread]


@pytest.mark.parametrize(
    ("said", "networking", "extras"),
    [
        ("Advanced Networking with Security Groups with Mgmt server ol9", "advanced-sg", []),
        ("Advanced Networking (Security Groups), Mgmt server ol9", "advanced-sg", []),
        ("Advanced Networking with Mgmt server ol9, security groups", "advanced-sg", []),
        ("Basic Networking (Security Groups) with Mgmt server ol9", "basic", []),
        (
            "Advanced Networking with IPv6 and Tungsten, Arch: aarch64 with Mgmt server ol9 on PowerFlex storage",
            "advanced",
            ["Arch: aarch64", "IPv6", "Tungsten"],
        ),
        ("Advanced Networking with " + "a" * 300, "advanced", ["a" * 100]),
        ("Advanced Networking with Mgmt server ol9, zone: edge zone", "advanced", ["edge zone"]),
        ("Advanced Networking without security groups with Mgmt server ol9", "advanced", []),
        ("Advanced Networking with Mgmt server ol9, x86-64", "advanced", ["x86-64"]),
        ("Advanced Networking with Mgmt server ol9, storage migration", "advanced", ["storage migration"]),
        ("Advanced Networking with Mgmt server ol9, shared network", "advanced", ["shared network"]),
    ],
)
def test_new_words_of_an_environment_keep_its_results_apart(said, networking, extras):
    [run] = runs_of(Comment(f"Environment: kvm-ol9 (x2 hosts), {said}\n{TABLE}{ROW}", WHEN), "x", Stated(), WHEN)
    context = run.environments["kvm-ol9"].context
    assert (context["networking"], context["extras"]) == (networking, extras)


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("5.0s", 5), ("1m 5s", 65), ("1,234.5", 1234.5), ("---", 0), ("`157.72`", 157.72), ("soon", 0), ("test_b2.py", 0)],
)
def test_time_of_a_row(time, seconds):
    [run] = runs_of(Comment(f"{HEAD}{TABLE}test_a | `Error` | {time} | test_b.py"), "x", Stated(), WHEN)
    assert [line.seconds for line in run.lines] == [seconds]


def test_what_a_reply_quotes_is_not_its_own():
    quoted = "".join(f"> {line}\n" for line in f"{HEAD}{TABLE}{ROW}\ntest_c | `Error` | 1 | test_b.py".splitlines())
    assert told(f"{quoted}\nThese fail everywhere.\ntest_d | Error | 1 | test_b.py\n") == []
    assert told(f"{quoted}\n{HEAD}{TABLE}{ROW}") == FAILED


# Hostile text


PIECES = st.sampled_from(
    [
        "Trillian test result (tid-", "[SF] ", "<b>", "Environment: ", "kvm-ol8 (x2)", ", zone: Advanced Networking",
        " with Mgmt server ", "Total time taken: ", "Intermittent failure detected: ", "/marvin/tests/smoke/test_a.py",
        "Smoke tests completed. ", "7 look OK, ", "9 have errors, ", "3 did not run", "Test | Result | Time (s) | Test File",
        "--- | --- | --- | ---", "test_x | `Error` | 1.0 | test_y.py", "ContextSuite context=", ">:setup", "|", "\\|", "\n",
        "Build Failed", "ACS CI BVT Run\n", "CI RESULTS\n", "Failed tests:\n", "FAIL: ", "Tests Run: 5\n", "Packaging result", "&lt;", "`", "1" * 50, ":", " ", "\0", "\x1b[31m", "\ud800", "runTest", "all_test_y",
    ]
)  # fmt: skip
COMMENTS = st.one_of(st.text(max_size=300), st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=60).map("".join))


def stands_in(name: str, text: str) -> bool:
    """Whether every character of a name stands in a text, in its order."""
    characters = iter(html.unescape(text))
    return all(character in characters for character in name if character != " ")


@given(COMMENTS)
@settings(max_examples=300, deadline=None)
@example(HEAD + TABLE + "| | | |\n|||||||\n")
@example("Environment:\nEnvironment: ,,,(x9),\n")
def test_any_text_is_read_and_nothing_is_invented(text):
    for report in read_comment(text):
        for row in report.rows:
            assert stands_in(row.name, text)
            assert stands_in(row.file or "", text)
        written = re.sub(r"\D+", " ", text)
        for count in report.counts:
            assert all(
                str(number) in written.lstrip("0") or number == 0
                for number in (count.ok, count.failed, count.did_not_run)
                if number
            )
    for run in runs_of(Comment(text, text, 1), "x", Stated(), WHEN):
        rows = sum(
            len(report.rows) + 2 * len(report.intermittent) + len(report.counts) + 2 for report in read_comment(text)
        )
        assert len(list(run.lines)) <= rows
        json.dumps([vars(line) for line in run.lines], default=str)


@given(COMMENTS)
@settings(max_examples=100, deadline=None)
def test_whatever_is_recorded_can_be_read(tmp_path_factory, text):
    destination = Destination(tmp_path_factory.mktemp("d"))
    for run in runs_of(Comment(text, None, 1), "x", Stated(), WHEN):
        read = read_record(destination.add(run).path)
        assert read.warnings == ()
        assert len(read.attempts) + len(read.untested) + len(read.counts) == len(run.lines)
        compute_matrix([read], CATALOGUE, generated=WHEN)


@pytest.mark.parametrize(
    "unit",
    [
        "Trillian ", "[S] ", "a|", "|", "<b", "<td", "ContextSuite context=", "Environment: ", "> ", "1 look ok ", "Networking ", "mgmt ",
        "((", "1 ", "ACS CI BVT Run\n", "CI RESULTS\n", "Failed tests:\n", "FAIL: x\n", 'File "test_', "&amp;lt;b&amp;gt;", "storage ",
        "\\|", "Intermittent failure detected: a.py ", "&lt;", "*", "zone ", "x1 ", "test_a.", "\x1b[",
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["", "\n"])
def test_time_is_linear(unit, end):
    def seconds(size: int) -> float:
        text = HEAD + TABLE + (unit + end) * (size // len(unit + end))
        begin = time.perf_counter()
        list(runs_of(Comment(text), "x", Stated(), WHEN))
        return time.perf_counter() - begin

    seconds(8_000)
    small, large = (min(seconds(size) for _ in range(3)) for size in (8_000, 64_000))
    assert large < max(small * 32, 0.5), (small, large)


def test_hostile_names_are_harmless_everywhere(tmp_path, capsysbinary):
    evil = "test_<script>alert(1)</script>[x](javascript:1)`@all`\x1b]8;;http://evil\x07\u202e#1"
    file = tmp_path / "in"
    file.write_text(
        json_line(
            f"Trillian test result (tid-1)\nEnvironment: <img/src=x>@team (x2), Advanced Networking with Mgmt server @x{TABLE}{evil} | Error | 1 | test_b.py\n"
        )
    )
    assert cs_matrix("import", "comments", file, tmp_path / "d") == 0
    for output in ("terminal", "markdown", "xunit", "json"):
        capsysbinary.readouterr()
        assert cs_matrix("report", "--format", output, tmp_path / "d") == 0
        text = capsysbinary.readouterr().out
        assert b"\x1b" not in text
        assert b"\xe2\x80\xae" not in text
