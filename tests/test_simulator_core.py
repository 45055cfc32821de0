"""What holds for every command: parameters, lists, jobs, faults, errors."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_matrix_pytest.environments.model import Fault
from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.families import FAMILIES
from cs_matrix_pytest.simulator.metadata import load_api
from cs_matrix_pytest.simulator.parameters import parse, plain_map, unpack
from cs_matrix_pytest.simulator.registry import Family, Registry

API = load_api()


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator(ready=False)


class TestMetadata:
    def test_every_handler_and_list_is_of_a_command_that_a_server_serves(self) -> None:
        registry = Registry(FAMILIES)
        unknown = [
            name for name in {*registry.handlers, *registry.lists} if not (API.get(name) and API.get(name).served)
        ]
        assert unknown == []

    def test_create_type_commands_are_generators_and_others_are_not(self) -> None:
        registry = Registry(FAMILIES)
        wrong = [
            name
            for name in registry.handlers
            if registry.is_creator(name) and not (API.get(name).creates or not API.get(name).is_async)
        ]
        assert wrong == []

    def test_two_families_cannot_handle_one_command(self) -> None:
        first, second = Family("first"), Family("second")
        for family in (first, second):
            family.command("listZones")(lambda _call: None)
        with pytest.raises(ValueError, match="second handles again"):
            Registry([first, second])

    def test_every_kind_that_a_list_shows_has_a_view(self) -> None:
        registry = Registry(FAMILIES)
        for spec in registry.lists.values():
            assert registry.view_of(spec.kind)


class TestParameters:
    def find(self, _entities: tuple[str, ...], _id: str) -> None:
        return None

    def test_maps_keep_the_case_of_their_keys(self) -> None:
        assert unpack({"Details[0].cpuNumber": "2", "details[0].memory": "512"}) == {
            "details": {"0": {"cpuNumber": "2", "memory": "512"}}
        }

    @pytest.mark.parametrize(
        "raw",
        [
            {"details[0].rootdisksize": "5", "details[0].x": "1"},
            {"details[0].key": "rootdisksize", "details[0].value": "5", "details[1].key": "x", "details[1].value": "1"},
        ],
    )
    def test_both_ways_of_writing_a_map(self, raw: dict[str, str]) -> None:
        assert plain_map(unpack(raw)["details"]) == {"rootdisksize": "5", "x": "1"}

    @pytest.mark.parametrize(
        ("command", "raw", "text"),
        [
            ("createZone", {}, "Unable to execute API command createzone due to missing parameter dns1"),
            ("listZones", {"page": "x", "pagesize": "1"}, "due to invalid value x for parameter page"),
            ("listZones", {"id": ""}, "Invalid parameter id value= due to incorrect long value format"),
            ("listEvents", {"startdate": "soon"}, "Unable to parse date soon for command listevents"),
            ("createDomain", {"name": "x" * 256}, "max allowed length 255 for param: domainName"),
            ("addHost", {}, "due to missing parameter podid"),
            ("addHost", {"clusterid": "x", "zoneid": "y"}, "Invalid parameter clusterid value=x due to"),
            ("addHost", {"zoneid": "y", "hypervisor": ""}, "due to missing parameter podid"),
        ],
    )
    def test_what_a_server_says_of_bad_values(self, command: str, raw: dict[str, str], text: str) -> None:
        with pytest.raises(ParameterError) as error:
            parse(API.get(command), raw, self.find)
        assert text in error.value.text
        assert (error.value.code, error.value.cs_code) == (431, 9999)

    @pytest.mark.parametrize(("command", "name"), [("createDomain", "name"), ("deleteZone", "id")])
    def test_what_is_required_is_not_empty(self, command: str, name: str) -> None:
        with pytest.raises(InvalidParameterValue) as error:
            parse(API.get(command), {name: ""}, self.find)
        assert (error.value.text, error.value.cs_code) == (f"Invalid value provided for API arg: {name}", 4350)

    def test_a_required_number_that_is_blank_is_null_there(self) -> None:
        with pytest.raises(InternalError, match=r"^Cannot invoke .* is null$"):
            parse(API.get("createPortForwardingRule"), {"ipaddressid": "1", "privateport": " "}, self.find)

    def test_younger_ids_that_are_none_count_as_absent(self) -> None:
        assert parse(API.get("listVolumes"), {"ids": "x,y"}, self.find)["ids"][0].number == "null"
        assert parse(API.get("listVolumes"), {"zoneid": "-1", "kmskeyid": "x"}, self.find)["kmskeyid"] is None

    @given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=5), st.sampled_from(sorted(API)))
    def test_no_rubbish_raises_anything_else(self, raw: dict[str, str], command: str) -> None:
        with contextlib.suppress(ParameterError, InvalidParameterValue):
            parse(API.get(command), raw, self.find)


@pytest.fixture(scope="module")
def domains() -> Simulator:
    simulator = Simulator(ready=False)
    for number in range(25):
        simulator.run("createDomain", name=f"d{number:02}")
    return simulator


class TestLists:
    def test_a_page_and_the_whole_count(self, domains: Simulator) -> None:
        answer = domains.run("listDomains", listall=True, page=2, pagesize=10)
        assert answer["count"] == 26
        assert len(answer["domain"]) == 10

    def test_pages_are_disjoint_and_complete(self, domains: Simulator) -> None:
        pages = [domains.run("listDomains", listall=True, page=page, pagesize=10)["domain"] for page in (1, 2, 3)]
        assert len({domain["id"] for page in pages for domain in page}) == 26

    def test_past_the_end_there_is_only_the_count(self, domains: Simulator) -> None:
        assert domains.run("listDomains", listall=True, page=9, pagesize=10) == {"count": 26}

    def test_an_empty_list_has_no_count(self, domains: Simulator) -> None:
        assert domains.run("listDomains", name="nobody") == {}

    def test_a_keyword_is_looked_for_in_any_case(self, domains: Simulator) -> None:
        assert domains.run("listDomains", keyword="D07")["count"] == 1

    @pytest.mark.parametrize("given", [{"page": 1}, {"pagesize": 1}, {"page": 1, "pagesize": 501}])
    def test_bad_paging(self, domains: Simulator, given: dict[str, int]) -> None:
        with pytest.raises(ApiError) as error:
            domains.run("listDomains", **given)
        assert error.value.code == 431


class TestJobs:
    def test_a_job_is_known_until_the_end_and_tells_its_result(self, simulator: Simulator) -> None:
        domain = simulator.run("createDomain", name="short-lived")["domain"]
        status, _, body = simulator.cloud.execute(simulator.cloud.system_caller, "deleteDomain", {"id": domain["id"]})
        assert (status, list(body)) == (200, ["jobid"])
        job = simulator.run("queryAsyncJobResult", jobid=body["jobid"])
        assert (job["jobstatus"], job["jobresult"], job["jobprocstatus"]) == (1, {"success": True}, 0)

    def test_a_failed_job_has_code_and_text_and_status_2(self, simulator: Simulator) -> None:
        root = simulator.cloud.admin_user.account.domain.id
        _, _, body = simulator.cloud.execute(simulator.cloud.system_caller, "deleteDomain", {"id": root})
        job = simulator.run("queryAsyncJobResult", jobid=body["jobid"])
        assert job["jobstatus"] == 2
        assert job["jobresultcode"] == job["jobresult"]["errorcode"]
        assert set(job["jobresult"]) == {"errorcode", "errortext"}


class TestFaults:
    def ordered(self, **faults: Fault) -> Simulator:
        simulator = Simulator(ready=False, faults=faults)
        simulator.cloud.clock.is_virtual = True
        return simulator

    def test_a_command_that_always_fails(self) -> None:
        simulator = self.ordered(createDomain=Fault(fail=True, error=(533, "no room")))
        for _ in range(2):
            with pytest.raises(ApiError, match="no room") as error:
                simulator.run("createDomain", name="d")
            assert error.value.code == 533

    def test_every_third_call_fails(self) -> None:
        simulator = self.ordered(listDomains=Fault(fail_every=3))

        def works() -> bool:
            try:
                simulator.run("listDomains")
            except ApiError:
                return False
            return True

        assert [works() for _ in range(6)] == [True, True, False, True, True, False]

    def test_an_asynchronous_command_fails_in_its_job(self) -> None:
        simulator = self.ordered(deleteDomain=Fault(fail=True))
        domain = simulator.run("createDomain", name="d")["domain"]
        status, _, body = simulator.cloud.execute(simulator.cloud.system_caller, "deleteDomain", {"id": domain["id"]})
        assert status == 200
        assert simulator.run("queryAsyncJobResult", jobid=body["jobid"])["jobstatus"] == 2
        assert simulator.run("listDomains", id=domain["id"])["count"] == 1

    def test_a_slow_job_is_under_way_until_its_time_has_come(self) -> None:
        simulator = self.ordered(deleteDomain=Fault(delay=20))
        domain = simulator.run("createDomain", name="d")["domain"]
        _, _, body = simulator.cloud.execute(simulator.cloud.system_caller, "deleteDomain", {"id": domain["id"]})
        job = {"jobid": body["jobid"]}
        assert simulator.run("queryAsyncJobResult", **job)["jobstatus"] == 0
        simulator.clock.advance(19)
        assert simulator.run("queryAsyncJobResult", **job)["jobstatus"] == 0
        simulator.clock.advance(2)
        assert simulator.run("queryAsyncJobResult", **job)["jobstatus"] == 1

    def test_a_slow_synchronous_command_takes_simulated_time(self) -> None:
        simulator = self.ordered(listDomains=Fault(delay=20))
        before = simulator.clock.now()
        simulator.run("listDomains")
        assert simulator.clock.now() - before >= 20


def test_a_bug_of_ours_is_an_internal_error_without_a_traceback(simulator: Simulator) -> None:
    family = Family("broken")

    @family.command("listHosts")
    def broken(_call: object) -> None:
        raise KeyError("oops")

    simulator.cloud.registry = Registry([*FAMILIES_WITHOUT_HOSTS, family])
    try:
        with pytest.raises(ApiError) as error:
            simulator.run("listHosts")
    finally:
        simulator.cloud.registry = Registry(FAMILIES)
    assert error.value.code == 530
    assert "Traceback" not in error.value.text


FAMILIES_WITHOUT_HOSTS = [
    family for family in FAMILIES if "listHosts" not in family.lists and "listHosts" not in family.handlers
]
