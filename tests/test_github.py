"""GitHub: comments, statuses and imports against a server that keeps GitHub's rules."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cs_matrix_pytest import cli
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.github.client import GitHub, GitHubError, read_token
from cs_matrix_pytest.github.comment import marker, put_comment, with_marker
from cs_matrix_pytest.github.status import statuses
from cs_matrix_pytest.outcomes.model import Attempt, AttemptOutcome, Run, RunEnvironment
from cs_matrix_pytest.outcomes.record import RecordWriter, read_folder, record_path
from github_server import REPO, TOKEN, GitHubServer, Reply, moment, serve
from report_example import CATALOGUE, HOSTILE, compute_matrix, example_matrix, example_records, hostile_matrix

SHA = "0123456789abcdef0123456789abcdef01234567"
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}


@pytest.fixture
def hub(monkeypatch):
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "GITHUB_REPOSITORY", "GITHUB_API_URL", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield from serve(GitHubServer())


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)


@pytest.fixture
def records(tmp_path):
    folder = tmp_path / "cs-report"
    folder.mkdir()
    write(folder, example_records())
    return folder


def write(folder: Path, records) -> None:
    for record in records:
        with RecordWriter(record_path(folder, record.run.run), record.run) as writer:
            for attempt in record.attempts:
                writer.attempt(attempt)
            for untested in record.untested:
                writer.untested(untested)
            if record.ended:
                writer.end(record.exit)


def cs_matrix(*words: object) -> int:
    return cli.main([str(word) for word in words])


class Sleeper:
    """Stands where time.sleep stands, and lets no time pass."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def sleeper():
    return Sleeper()


@pytest.fixture
def client(hub, sleeper):
    return GitHub(hub.base, TOKEN, sleep=sleeper, tell=lambda text: None)


# cs-matrix comment


def test_comment_is_created_then_left_then_updated(hub, token, records, capsys):
    words = ("comment", "--pr", 7, "--repo", REPO, "--api-url", hub.base, records)
    assert cs_matrix(*words) == 0
    [created] = hub.comments
    assert created["body"].startswith(marker("local"))
    assert "### Test run for PR 7, lab local" in created["body"]
    assert "AssertionError: rule is still there" in created["body"]

    assert cs_matrix(*words) == 0
    assert [each.method for each in hub.requests].count("PATCH") == 0

    write(records, example_records(days=3)[2:])
    assert cs_matrix(*words) == 0
    assert [each["id"] for each in hub.comments] == [created["id"]]
    told = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in told] == ["created", "unchanged", "updated"]


def test_each_lab_has_its_own_comment(hub, token, records):
    [first, second] = example_records()
    other = type(first)(
        Run(**{**vars(second.run), "run": "other", "lab": "a--b -->"}), second.attempts, ended=True, exit=0
    )
    write(records, [other])
    words = ("comment", "--pr", 7, "--repo", REPO, "--api-url", hub.base, records)
    assert cs_matrix(*words) == cs_matrix(*words) == 0
    assert [each["body"].splitlines()[0] for each in hub.comments] == [marker("a--b -->"), marker("local")]
    assert all(
        line.startswith("<!--") and line.endswith("-->") and line.count("--") == 2 for line in [marker("a--b -->")]
    )


def test_a_comment_beyond_the_first_page_is_found(hub, client):
    for number in range(230):
        hub.comment(f"talk {number}", author="someone")
    mine = hub.comment(with_marker("local", "old"), author="lab-bot")
    assert put_comment(client, REPO, 7, "local", with_marker("local", "new")).done == "updated"
    assert mine["body"] == with_marker("local", "new")


@pytest.mark.parametrize("has_user", [True, False])
def test_a_marker_in_another_users_comment_is_not_trusted(hub, client, has_user):
    hub.has_user = has_user
    hub.users[TOKEN] = {"login": "lab-bot", "type": "User" if has_user else "Bot"}
    theirs = hub.comment(with_marker("local", "fake"), author="mallory")
    assert put_comment(client, REPO, 7, "local", with_marker("local", "true")).done == "created"
    assert theirs["body"] == with_marker("local", "fake")
    assert put_comment(client, REPO, 7, "local", with_marker("local", "newer")).done == "updated"
    assert len(hub.comments) == 2


def test_a_bots_comment_that_may_not_be_changed_is_passed_over(hub, client):
    hub.has_user = False
    hub.users[TOKEN] = {"login": "lab-bot", "type": "Bot"}
    hub.comment(with_marker("local", "another bot's"), author="other-bot", kind="Bot")
    assert put_comment(client, REPO, 7, "local", with_marker("local", "mine")).done == "created"
    assert put_comment(client, REPO, 7, "local", with_marker("local", "mine again")).done == "updated"


def test_a_comment_created_by_a_request_that_seemed_to_fail_is_not_created_twice(hub, client):
    hub.troubles = [Reply(200, []), Reply(502, after=True)]
    assert put_comment(client, REPO, 7, "local", with_marker("local", "x")).done == "unchanged"
    assert len(hub.comments) == 1


def test_dry_run_prints_and_sends_nothing(hub, records, capsysbinary):
    assert cs_matrix("comment", "--pr", 7, "--dry-run", "--api-url", hub.base, records) == 0
    printed = capsysbinary.readouterr().out.decode()
    assert printed.startswith(marker("local"))
    assert "| kvm | kvm el9 | advanced |" in printed
    assert hub.requests == []


def test_what_is_sent_fits(hub, token, tmp_path):
    attempts = tuple(
        Attempt(
            f"smoke/test_{n}.py::T::test",
            "kvm",
            AttemptOutcome.FAILED,
            "2026-01-01T00:00:00Z",
            1,
            message=f"\U0001f4a5 m{n}" * 20,
        )
        for n in range(2000)
    )
    run = Run("big", "2026-01-01T00:00:00Z", "local", {"kvm": RunEnvironment({"hypervisor": {"type": "kvm"}})})
    write(tmp_path, [type(example_records()[0])(run, attempts, ended=True, exit=1)])
    assert cs_matrix("comment", "--pr", 7, "--repo", REPO, "--api-url", hub.base, tmp_path) == 0
    body = hub.comments[0]["body"]
    assert 50_000 < len(body) <= 65_536
    assert "Left out" in body


# cs-matrix status


def test_one_status_for_each_environment(hub, token, records, capsys):
    hub.commits.add(SHA)
    assert (
        cs_matrix(
            "status", "--commit", SHA.upper(), "--repo", REPO, "--api-url", hub.base, "--url", "https://ci/1", records
        )
        == 0
    )
    assert hub.statuses[SHA] == [
        {"state": state, "context": f"cs-matrix/local/{name}", "description": description, "target_url": "https://ci/1"}
        for name, state, description in (
            ("down", "error", "features: 2 untested; 4 blocked"),
            ("kvm", "failure", "features: 1 failing, 1 compatible"),
            ("xen", "success", "features: 1 unstable"),
        )
    ]
    assert "cs-matrix/local/kvm" in capsys.readouterr().out


def test_unstable_can_be_a_failure(hub, records, capsys):
    assert cs_matrix("status", "--commit", SHA, "--dry-run", "--unstable", "failure", records) == 0
    lines = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert ["failure", "cs-matrix/local/xen"] in lines
    assert hub.requests == []


def test_known_failures_are_shown_and_are_no_failure(hub, records, capsys):
    known = records.parent / "known.yaml"
    known.write_text(
        'version: 1\nfailures:\n  - {test: smoke/test_acl.py, issue: https://issues.example/5, expires: "2999-01-01"}\n'
    )
    words = ("--known-failures", known, records)
    assert cs_matrix("status", "--commit", SHA, "--dry-run", *words) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["success", "cs-matrix/local/kvm", "features:", "1", "failing,", "1", "compatible;", "1", "known"] in lines
    assert cs_matrix("comment", "--pr", 7, "--dry-run", *words) == 0
    text = capsys.readouterr().out
    assert "(known: `https://issues.example/5`)" in text
    assert "✗ **failing** (tests: 1 failing, 3 compatible; 1 known)" in text


def test_a_run_without_an_end_is_pending_unless_it_fails():
    [first, second] = example_records()
    going_on = compute_matrix(
        [first, type(second)(second.run, second.attempts)], CATALOGUE, generated="2026-01-01T00:00:00Z"
    )
    assert {each.environment: each.state for each in statuses(going_on)} == {
        "local/down": "pending",
        "local/kvm": "failure",
        "local/xen": "pending",
    }
    assert {each.state for each in statuses(example_matrix())} == {"error", "failure", "success"}


def test_statuses_of_hostile_names_are_printable_and_short():
    for status in statuses(hostile_matrix()):
        assert len(status.description) <= 140
        assert status.context.isprintable()
        assert HOSTILE not in status.context


# Refusals


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("comment", "--pr", 7, "--repo", "acme/other"), "404: Not Found"),
        (("status", "--commit", SHA, "--repo", REPO), f"422: No commit found for SHA: {SHA}"),
        (("comment", "--pr", 7, "--repo", "no-slash"), "not OWNER/NAME"),
        (("comment", "--pr", 7, "--repo", "../.."), "not OWNER/NAME"),
        (("comment", "--pr", 7), "which repository?"),
    ],
)
def test_a_refusal_is_one_clear_message(hub, token, records, capsys, words, said):
    assert cs_matrix(*words, "--api-url", hub.base, records) == 2
    error = capsys.readouterr().err
    assert said in error
    assert TOKEN not in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(401, {"message": "Bad credentials"}), "Bad credentials\n  The token is not valid"),
        (Reply(403, {"message": "Resource not accessible by integration"}), "integration\n  The token lacks a permission"),
        (Reply(422, {"message": "Validation Failed", "errors": [{"resource": "I", "field": "body", "code": "missing_field"}]}), "Validation Failed; I body missing_field"),
        (Reply(422, {"message": f"no \x1b[2J{TOKEN}", "errors": ["plain"]}), "no ********; plain"),
        (Reply(500), "500"),
        (Reply(200), "the answer is not JSON\n  Is --api-url right?"),
        (Reply(302, {}, {"Location": "https://evil.example/steal"}), "leads to another server, https://evil.example:443: not followed"),
        (Reply(301, {}, {"Location": "/api/v3/user"}), "redirected more than 3 times"),
    ],
)  # fmt: skip
def test_what_the_server_says_is_said_on_without_secrets(hub, client, reply, said):
    hub.troubles = [reply] * 10
    with pytest.raises(GitHubError) as error:
        client.get("user")
    assert said in str(error.value)
    assert TOKEN not in str(error.value)
    assert "\x1b" not in str(error.value)


def test_no_token_is_said(hub, records, capsys):
    assert cs_matrix("comment", "--pr", 7, "--repo", REPO, "--api-url", hub.base, records) == 2
    assert "needs a token\n  Set GITHUB_TOKEN or GH_TOKEN" in capsys.readouterr().err
    assert hub.requests == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://ghe.example/api/v3", "does not go over plain http"),
        ("ftp://ghe.example", "not the URL of an API"),
        ("https://", "not the URL of an API"),
        ("https://me:pw@ghe.example", "no user or password"),
    ],
)
def test_a_wrong_api_url_is_refused_before_anything_is_sent(url, said):
    with pytest.raises(UserError, match=said) as error:
        GitHub(url, TOKEN)
    assert "pw" not in str(error.value).replace("plain", "")


@pytest.mark.parametrize(
    ("environment", "token"),
    [
        ({}, None),
        ({"GH_TOKEN": "b"}, "b"),
        ({"GITHUB_TOKEN": " a\n", "GH_TOKEN": "b"}, "a"),
        ({"GITHUB_TOKEN": " ", "GH_TOKEN": "b"}, "b"),
    ],
)
def test_the_token_is_the_first_there_is(environment, token):
    assert read_token(environment) == token


def test_a_token_that_is_none_is_not_shown():
    with pytest.raises(UserError, match="GITHUB_TOKEN holds no token") as error:
        read_token({"GITHUB_TOKEN": "two\nsecrets"})
    assert "secrets" not in str(error.value)


def test_a_password_of_the_host_in_netrc_is_not_sent(hub, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    GitHub(hub.base).get(f"repos/{REPO}/issues/comments")
    GitHub(hub.base, TOKEN).get("user")
    assert [each.headers.get("authorization") for each in hub.requests] == [None, f"Bearer {TOKEN}"]


def test_a_link_to_another_server_is_not_followed(hub, client):
    hub.troubles = [Reply(200, [], {"Link": '<https://evil.example/next>; rel="next"'})]
    with pytest.raises(GitHubError, match="leads to another server"):
        list(client.pages("anything"))


# Rate limits and bad days


@pytest.mark.parametrize(
    ("reply", "waits"),
    [
        (Reply(403, SECONDARY, {"Retry-After": "7"}), [7]),
        (Reply(429, {"message": "slow"}, {"Retry-After": "3"}), [3]),
        (Reply(403, SECONDARY), [60]),
        (Reply(403, {"message": "You have triggered an abuse detection mechanism."}), [60]),
        (Reply(502), [1]),
        (Reply(503, {"message": "later"}), [1]),
    ],
)
def test_waits_and_tries_again(hub, client, sleeper, reply, waits):
    hub.troubles = [reply]
    assert client.get("user").data["login"] == "lab-bot"
    assert sleeper.slept == waits


def test_a_status_is_set_in_spite_of_bad_gateways(hub, client, sleeper):
    hub.commits.add(SHA)
    hub.troubles = [Reply(502), Reply(502), Reply(403, SECONDARY, {"Retry-After": "2"})]
    client.post(f"repos/{REPO}/statuses/{SHA}", {"state": "success", "context": "c", "description": "d"})
    assert sleeper.slept == [1, 2, 2]
    assert len(hub.statuses[SHA]) == 1


def test_the_primary_limit_is_waited_for(hub, client, sleeper):
    hub.remaining, hub.reset = 0, int(time.time()) + 100

    def reset(request):
        if sleeper.slept:
            hub.remaining, hub.reset = 10, 0

    hub.before = reset
    assert client.get("user").status == 200
    assert len(sleeper.slept) == 1
    assert 95 < sleeper.slept[0] < 105


def test_a_limit_that_lasts_too_long_is_said_with_its_end(hub, sleeper):
    hub.remaining, hub.reset = 0, 4_102_444_800
    impatient = GitHub(hub.base, sleep=sleeper, tell=lambda text: None)
    with pytest.raises(GitHubError, match="is used up until") as error:
        impatient.get(f"repos/{REPO}/issues/comments")
    assert "With a token (GITHUB_TOKEN) the limit is much higher" in str(error.value)
    assert sleeper.slept == []


def test_a_server_that_is_not_there(sleeper):
    with pytest.raises(GitHubError, match="127\\.0\\.0\\.1:1/user: the server cannot be reached"):
        GitHub("http://127.0.0.1:1", sleep=sleeper).get("user")
    assert sleeper.slept == [1, 2, 4, 8]


# cs-matrix import github


def result(number: int, environment: str = "kvm-ol8") -> str:
    return f"<b>[SF] Trillian test result (tid-{number})</b>\nEnvironment: {environment} (x2), zone: Advanced Networking with Mgmt server ol8\nSmoke tests completed. {number} look OK, 0 have errors, 0 did not run\n"


def imported(folder: Path) -> list[int]:
    return sorted(each.counts[0].ok for each in read_folder(folder))


def import_words(hub, folder: Path, *more: object) -> tuple[object, ...]:
    return ("import", "github", "--repo", REPO, "--api-url", hub.base, "--since", "2023-01-01", *more, folder)


def test_import_takes_the_bots_results_page_by_page(hub, tmp_path, capsys):
    hub.per_page = 3
    for number in range(20):
        hub.comment(result(number), when=moment(number), number=number + 1)
        hub.comment("LGTM, see <b>Trillian test result (tid-1)</b>", author="someone", when=moment(number))
    assert cs_matrix(*import_words(hub, tmp_path)) == 0
    assert imported(tmp_path) == list(range(20))
    assert {each.run.selection["pull_request"] for each in read_folder(tmp_path)} == set(range(1, 21))
    assert {each.run.selection["repository"] for each in read_folder(tmp_path)} == {REPO}
    assert capsys.readouterr().out == f"20 records written to {tmp_path}: 20 counted\n"


@pytest.mark.parametrize("apart", [10, 1])
def test_what_is_new_is_imported_later(hub, tmp_path, apart):
    hub.per_page = 2
    for number in range(6):
        hub.comment(result(number), when=moment(number * apart))
        assert cs_matrix(*import_words(hub, tmp_path)) == 0
        assert imported(tmp_path) == list(range(number + 1))


def test_import_again_asks_only_whether_anything_is_new(hub, tmp_path):
    hub.per_page = 2
    for number in range(5):
        hub.comment(result(number), when=moment(10 * number))
    cs_matrix(*import_words(hub, tmp_path))
    hub.requests.clear()
    left = hub.remaining
    assert cs_matrix(*import_words(hub, tmp_path)) == 0
    assert [each.headers.get("if-none-match", "")[:1] for each in hub.requests] == ['"']
    assert hub.remaining == left


def test_a_killed_import_goes_on(hub, tmp_path):
    hub.per_page = 2
    for number in range(9):
        hub.comment(result(number), when=moment(number))
    hub.troubles = [None, None, Reply(401, {"message": "Bad credentials"})]
    assert cs_matrix(*import_words(hub, tmp_path)) == 2
    reached = imported(tmp_path)
    assert 0 < len(reached) < 9
    hub.requests.clear()
    assert cs_matrix(*import_words(hub, tmp_path)) == 0
    assert imported(tmp_path) == list(range(9))
    assert hub.requests[0].query["since"] == moment(reached[-1] - 1)


def test_an_import_killed_for_good_goes_on(hub, tmp_path):
    """A real process, ended with SIGKILL while the server keeps it waiting."""
    hub.per_page = 2
    for number in range(9):
        hub.comment(result(number), when=moment(number))
    words = [str(word) for word in import_words(hub, tmp_path)]
    process = None

    def kill(request):
        if process is not None and len(hub.requests) == 3:
            process.kill()
            process.wait(10)

    hub.before = kill
    hub.troubles = []
    process = subprocess.Popen([sys.executable, "-m", "cs_matrix_pytest", *words], stdout=subprocess.DEVNULL)
    assert process.wait(60) == -9
    hub.before = lambda request: None
    assert 0 < len(imported(tmp_path)) < 9
    assert cs_matrix(*words) == 0
    assert imported(tmp_path) == list(range(9))


def test_nothing_is_lost_when_a_comment_goes_or_changes_under_way(hub, tmp_path):
    hub.per_page = 2
    for number in range(9):
        hub.comment(result(number), when=moment(number))

    def meddle(request):
        if len(hub.requests) == 2:
            del hub.comments[0]
            hub.comments[0]["updated_at"] = moment(100)

    hub.before = meddle
    assert cs_matrix(*import_words(hub, tmp_path)) == 0
    assert imported(tmp_path) == list(range(9))


def test_an_edit_that_changes_no_result_adds_no_record(hub, tmp_path):
    link = "Marvin logs: https://logs.example/pr7-t3-kvm-ol8.zip\n"
    comment = hub.comment(result(3) + link, when=moment(0))
    cs_matrix(*import_words(hub, tmp_path))
    comment.update(body=result(3) + "Marvin logs: [archive removed]\n", updated_at=moment(500))
    assert cs_matrix(*import_words(hub, tmp_path)) == 0
    assert len(read_folder(tmp_path)) == 1


def test_many_comments_of_one_second(hub, tmp_path):
    hub.per_page = 3
    for number in range(10):
        hub.comment(result(number), when=moment(0))
    assert cs_matrix(*import_words(hub, tmp_path)) == 0
    assert imported(tmp_path) == list(range(10))


@pytest.mark.parametrize("since", ["inclusive", "exclusive", "ignored"])
def test_servers_that_take_since_differently(hub, tmp_path, since):
    hub.per_page, hub.since = 3, since
    for number in range(10):
        hub.comment(result(number), when=moment(number))
    assert cs_matrix(*import_words(hub, tmp_path)) == 0
    assert imported(tmp_path) == list(range(10))


def test_another_author_and_a_repository_that_moved(hub, tmp_path):
    hub.moved = {"old/name": REPO}
    hub.comment(result(1), author="our-bot[bot]", when=moment(0))
    hub.comment(result(2), when=moment(1))
    words = (
        "import",
        "github",
        "--repo",
        "old/name",
        "--api-url",
        hub.base,
        "--since",
        "2023-01-01",
        "--author",
        "Our-Bot",
        tmp_path,
    )
    assert cs_matrix(*words) == 0
    assert imported(tmp_path) == [1]


def test_facts_that_comments_do_not_say(hub, tmp_path):
    hub.comment(result(1), when=moment(0))
    more = ("--acs-version", "4.20.1.0", "--context", "storage.protocol=nfs", "--lab", "mine")
    assert cs_matrix(*import_words(hub, tmp_path, *more)) == 0
    [record] = read_folder(tmp_path)
    environment = record.run.environments["kvm-ol8"]
    assert (record.run.lab, environment.acs_version) == ("mine", "4.20.1.0")
    assert environment.context["storage"]["protocol"] == "nfs"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"since": 3}',
        b'{"since": "yesterday"}',
        b'{"since": "2024-99-99T00:00:00Z"}',
        b"\xff\xfe\x00",
    ],
)
def test_a_damaged_state_file_begins_anew(hub, tmp_path, content):
    hub.comment(result(1), when=moment(0))
    cs_matrix(*import_words(hub, tmp_path))
    [state] = tmp_path.glob("import-github-*.json")
    for record in tmp_path.glob("run-*"):
        record.unlink()
    state.write_bytes(content)
    assert cs_matrix(*import_words(hub, tmp_path)) == 0
    assert imported(tmp_path) == [1]
    assert json.loads(state.read_text())["since"] == moment(0)


@pytest.mark.parametrize(
    "reply",
    [Reply(200, {"message": "no list"}), Reply(200, [None, 1, {"user": None}, {"user": {"login": 5}, "body": 7}, {}])],
)
def test_strange_answers_are_no_traceback(hub, tmp_path, reply, capsys):
    hub.troubles = [reply]
    assert cs_matrix(*import_words(hub, tmp_path)) in (0, 2)
    assert "Traceback" not in capsys.readouterr().err
