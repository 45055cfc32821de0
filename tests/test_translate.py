"""``cs-matrix translate``: nose lines and the pytest lines that do the same."""

from __future__ import annotations

import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_matrix_pytest.cli import main
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.selection.nose_command import is_nose_command, translate

MARVIN = "nosetests --with-marvin --marvin-config=lab.cfg"


def pytest_line(nose: str) -> str:
    return translate(nose).command


@pytest.mark.parametrize(
    ("nose", "expected"),
    [
        ("nosetests", "pytest"),
        ("nosetests-3.4 -s x.py", "pytest -s x.py"),
        ("/usr/local/bin/nosetests2.7 x.py", "pytest x.py"),
        ("python3 -m nose x.py", "pytest x.py"),
        ("pynose x.py", "pytest x.py"),
        ("FOO=1 nosetests x.py", "FOO=1 pytest x.py"),
        ("FOO='a b' BAR= nosetests x.py", "FOO='a b' BAR= pytest x.py"),
        (
            "nosetests -a tags=advanced,required_hardware=false x",
            "pytest --attr tags=advanced,required_hardware=false x",
        ),
        ("nosetests -a tags=smoke -a '!disruptive'", "pytest --attr tags=smoke --attr '!disruptive'"),
        ("nosetests -atags=smoke", "pytest --attr tags=smoke"),
        ("nosetests --attr=tags=smoke", "pytest --attr tags=smoke"),
        (
            "nosetests -A \"'advanced' in tags and not disruptive\"",
            "pytest --eval-attr ''\"'\"'advanced'\"'\"' in tags and not disruptive'",
        ),
        ("nosetests --eval-attr=tags", "pytest --eval-attr tags"),
        ("nosetests -xvs --nocapture", "pytest -x -v -s -s"),
        ("nosetests x.py -s --stop", "pytest -s -x x.py"),
        ("nosetests -v -v --verbosity=3 -q", "pytest -v -v -vv -q"),
        ("nosetests --processes=5", "pytest -n 5"),
        ("nosetests --processes=-1", "pytest -n auto"),
        ("nosetests --processes=0", "pytest"),
        ("nosetests --with-xunit", "pytest --junitxml=nosetests.xml"),
        ("nosetests --with-xunit --xunit-file=a/b.xml", "pytest --junitxml=a/b.xml"),
        ("nosetests --xunit-file 'my file.xml' --with-xunit", "pytest '--junitxml=my file.xml'"),
        ("nosetests --logging-level=DEBUG --nologcapture", "pytest --log-level=DEBUG --show-capture=no"),
        ("nosetests --collect-only --pdb --failed", "pytest --collect-only --pdb --lf"),
        ("nosetests --tests=a.py,b.py:TestB c.py", "pytest a.py b.py::TestB c.py"),
        ("nosetests a.py:TestA.test_b", "pytest a.py::TestA::test_b"),
        ("nosetests integration.smoke.test_x:TestX", "pytest integration/smoke/test_x.py::TestX"),
        ("nosetests -w suites", "pytest suites"),
        ("nosetests -w suites a.py:TestA b", "pytest suites/a.py::TestA suites/b"),
        ("nosetests --wher=suites", "pytest suites"),
        ("nosetests \\\n  -s \\\n  x.py", "pytest -s x.py"),
        ("nosetests --with-marvin", "pytest --with-marvin"),
        (f"{MARVIN} -s x.py", "pytest --with-marvin --marvin-config=lab.cfg -s x.py"),
        (f"{MARVIN} --deploy", "pytest --with-marvin --marvin-config=lab.cfg --deploy"),
        (f"{MARVIN} --load", "pytest --with-marvin --marvin-config=lab.cfg"),
        (f"{MARVIN} --zone z1 --hyper=KVM", "pytest --with-marvin --marvin-config=lab.cfg --zone=z1 --hypervisor=KVM"),
        (f"{MARVIN} --zone=", "pytest --with-marvin --marvin-config=lab.cfg --zone="),
        (
            "nosetests -s --zone=z1 --log-folder-path '/my logs' --with-marvin --marvin-config 'a b/c d.cfg'",
            "pytest --with-marvin --zone=z1 '--log-folder-path=/my logs' '--marvin-config=a b/c d.cfg' -s",
        ),
        (
            "nosetests --with-marvin --marvin-config=labs/$hv.cfg --hypervisor=$hv $file",
            "pytest --with-marvin --marvin-config=labs/$hv.cfg --hypervisor=$hv $file",
        ),
        (
            'nosetests --with-marvin --marvin-config="$LABS/{{ env_name }}-cfg" "$file" \'$x\'',
            'pytest --with-marvin --marvin-config="$LABS"/"{{ env_name }}"-cfg "$file" \'$x\'',
        ),
    ],
)
def test_the_pytest_line(nose, expected):
    assert pytest_line(nose) == expected
    assert translate(nose).warnings == ()


@pytest.mark.parametrize(
    ("nose", "warning"),
    [
        (f"{MARVIN} --result-log=x", "--result-log=x: no equivalent"),
        ("nosetests --zone=z1 --deploy", "--zone=z1: left out, without --with-marvin"),
        ("nosetests --zone=z1 --deploy", "--deploy: left out, without --with-marvin"),
        ("nosetests --process-timeout=60", "--process-timeout=60: needs pytest-timeout"),
        ("nosetests --with-coverage", "needs pytest-cov"),
        ("nosetests --exclude=x.*", "--exclude=x.*: no equivalent"),
        ("nosetests --frobnicate=3 x.py", "--frobnicate=3: not understood"),
        ("nosetests -Z x.py", "-Z: not understood"),
        ("nosetests --pd x.py", "--pd: not understood"),
        (
            "nosetests -a tags=advanced, required_hardware=false",
            "required_hardware=false: left out, nose takes it for a test",
        ),
        ("nosetests x.py || true", "left out, it is not nose's: || true"),
        ("nosetests x.py 2>&1 | tee log", "left out, it is not nose's: 2>&1 | tee log"),
        ("docker run --rm image nosetests x.py", "left out, it is not nose's: docker run --rm image"),
        ("nosetests --marvin-config=x.cfg", "--marvin-config=x.cfg: left out, without --with-marvin"),
        ("nosetests a.b.c", "a.b.c: taken for the name of a module"),
    ],
)
def test_what_has_no_equivalent(nose, warning):
    assert any(warning.replace("{{", "{").replace("}}", "}") in said for said in translate(nose).warnings)


def test_upstreams_own_line():
    line = (
        "time nosetests-3.4 --with-xunit --xunit-file=integration-test-results/$suite.xml --with-marvin "
        "--marvin-config=setup/dev/advdualzone.cfg test/integration/$suite.py -s "
        "-a tags=advanced,required_hardware=false --zone=zim1 --hypervisor=simulator || true ;"
    )
    assert translate(line).command == (
        "pytest --with-marvin --marvin-config=setup/dev/advdualzone.cfg --zone=zim1 --hypervisor=simulator "
        "--junitxml=integration-test-results/$suite.xml -s "
        "--attr tags=advanced,required_hardware=false test/integration/$suite.py"
    )
    assert [said.partition(":")[0] for said in translate(line).warnings] == ["left out, it is not nose's"]


@pytest.mark.parametrize(
    "line", ["pytest x.py", "pip install nose", "NOSE=/usr/bin/nosetests", "echo nosetests", "if [ ! -x nosetests", ""]
)
def test_no_nose_line(line):
    assert not is_nose_command(line)
    with pytest.raises(UserError, match="does not run nose"):
        translate(line)


def test_quotes_that_do_not_match():
    with pytest.raises(UserError, match="quotes"):
        translate("nosetests -A 'tags")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Co", "Cc"]), min_size=1), max_size=4))
def test_quoting_is_exact(values):
    """Whatever an expression holds, a shell hands pytest the very words that it would have handed nose."""
    line = shlex.join(["nosetests", *(word for value in values for word in ("-A", value))])
    assert shlex.split(pytest_line(line)) == ["pytest", *(word for value in values for word in ("--eval-attr", value))]


@given(st.text())
def test_no_line_is_too_strange(line):
    with suppress(UserError):
        translate(f"nosetests {line}")


@pytest.mark.parametrize("words", [["nosetests -s x.py"], ["nosetests", "-s", "x.py"]])
def test_the_command(capsys, words):
    assert main(["translate", *words]) == 0
    assert capsys.readouterr().out == "pytest -s x.py\n"


def test_warnings_are_not_in_the_way(capsys):
    assert main(["translate", f"{MARVIN} --client-log=x"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "pytest --with-marvin --marvin-config=lab.cfg\n"
    assert shown.err.startswith("cs-matrix: warning: --client-log=x: ")


def test_a_script(capsys, tmp_path):
    script = tmp_path / "run.sh"
    script.write_text(
        "# nosetests is run below\nexport X=1\nfor file in *; do\n  nosetests --zone=z \\\n    $file\ndone\nnosetests -x\n",
        encoding="utf-8",
    )
    assert main(["translate", "--file", str(script)]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"# {script}:4\npytest $file\n# {script}:7\npytest -x\n"
    assert shown.err.startswith(f"cs-matrix: warning: {script}:4: --zone=z: ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["translate"], "nothing to translate"),
        (["translate", "ls"], "does not run nose"),
        (["translate", "--file", "nowhere"], "does not exist"),
        (["translate", "--file", __file__.replace("test_translate", "conftest")], "no line of it runs nose"),
    ],
)
def test_wrong_use(capsys, words, says):
    assert main(words) == 2
    assert says in capsys.readouterr().err


def test_the_line_is_one_that_pytest_takes(tmp_path):
    """Every option that the table gives is one of pytest, of xdist or of this plugin."""
    nose = (
        "nosetests -v -x -s --with-xunit -a tags=smoke -A tags --processes=2 --logging-level=INFO --failed --collect-only "
        "--nologcapture --xunit-testsuite-name=n --with-timer --logging-format='%(message)s' --logging-datefmt=%H --verbosity=0 "
        "--with-doctest -P --process-restartworker --with-marvin --marvin-config=lab.cfg --zone=z --hypervisor=kvm --deploy "
        "--log-folder-path=logs"
    )
    (tmp_path / "lab.cfg").write_text('{"mgtSvr": [{"mgtSvrIp": "127.0.0.1"}]}', encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(pytest_line(nose))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5, done.stdout + done.stderr
    assert not Path(tmp_path, "cs-report").exists()
