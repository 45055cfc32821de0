"""Names that suites of today expect and 4.4.0 has not: given to its modules right after they were executed.

Only what can be levelled without changing how a suite written for 4.4.0 behaves: new names, and arguments that 4.4.0 would
have refused. Keys of `ADDITIONS` are module names; each function gets the module.
"""
# ruff: noqa: ARG001 - the signatures are those of today's Marvin

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

# Constants of today's marvin.codes that suites import most.
_CODES = {
    "XEN_SERVER": "XenServer",
    "KVM": "kvm",
    "VMWARE": "vmware",
    "USER": 0,
    "ADMIN": 1,
    "DOMAIN_ADMIN": 2,
    "STOPPED": "Stopped",
    "BACKED_UP": "backedup",
    "JOB_INPROGRESS": 0,
    "JOB_SUCCEEDED": 1,
    "JOB_FAILED": 2,
    "JOB_CANCELLED": 3,
    "RESOURCE_PRIMARY_STORAGE": 10,
    "RESOURCE_SECONDARY_STORAGE": 11,
    "LB_RULE": "Load Balancer Rule",
}


def _codes(module: ModuleType) -> None:
    for name, value in _CODES.items():
        if not hasattr(module, name):
            setattr(module, name, value)


def _exceptions(module: Any) -> None:
    def get_detail_exception_info(error: Any) -> str:
        """A text for an exception, a text or an ``exc_info`` triple."""
        if isinstance(error, tuple):
            error = error[1]
        return error if isinstance(error, str) else repr(error)

    module.CloudstackAPIException = module.cloudstackAPIException
    module.GetDetailExceptionInfo = get_detail_exception_info


def _connection(module: Any) -> None:
    def close(self: Any) -> None:
        """Nothing to close: each request has a connection of its own. Worker threads call it at their end."""

    module.CSConnection = module.cloudConnection
    module.cloudConnection.close = close


def _test_client(module: Any) -> None:
    client = module.CSTestClient = module.cloudstackTestClient
    # What `connect` sets on the instance, read by the methods below.
    client.zone_for_tests = client.hypervisor_for_tests = client.test_data = None
    get_user_api_client_of_44 = client.getUserApiClient

    def get_zone_for_tests(self: Any) -> str | None:
        return self.zone_for_tests  # type: ignore[no-any-return]

    def get_hypervisor_info(self: Any) -> str | None:
        return self.hypervisor_for_tests  # type: ignore[no-any-return]

    def get_parsed_test_data_config(self: Any) -> Any:
        return copy.deepcopy(self.test_data)

    def get_user_api_client(
        self: Any,
        account: str | None = None,
        domain: str | None = None,
        type: int = 0,
        *,
        UserName: str | None = None,
        DomainName: str | None = None,
    ) -> Any:
        return get_user_api_client_of_44(self, UserName or account, DomainName or domain, type)

    client.getZoneForTests = get_zone_for_tests
    client.getHypervisorInfo = get_hypervisor_info
    client.getParsedTestDataConfig = get_parsed_test_data_config
    client.getUserApiClient = get_user_api_client


def _test_case(module: Any) -> None:
    def get_cls_config(cls: Any) -> Any:
        return cls.config

    def cleanup_resources(cls: Any, api_client: Any, resources: Any) -> None:
        """Delete resources in the order given; virtual machines are expunged, so that their networks can go."""
        virtual_machine = sys.modules["marvin.integration.lib.base"].VirtualMachine
        for resource in resources:
            resource.delete(api_client, **({"expunge": True} if isinstance(resource, virtual_machine) else {}))

    def tear_down_class(cls: Any) -> None:
        client = getattr(cls, "apiclient", None) or getattr(cls, "api_client", None)
        _clean_up(cls, client, getattr(cls, "_cleanup", None))

    def tear_down(self: Any) -> None:
        _clean_up(self, getattr(self, "apiclient", None), getattr(self, "cleanup", None))

    def _clean_up(case: Any, client: Any, resources: Any) -> None:
        if client is None or resources is None:
            return
        try:
            case.cleanup_resources(client, reversed(resources))
        except Exception as error:
            raise Exception(f"Warning: Exception during cleanup : {error}") from error

    case = module.cloudstackTestCase
    case.getClsConfig = classmethod(get_cls_config)
    case.cleanup_resources = classmethod(cleanup_resources)
    case.tearDownClass = classmethod(tear_down_class)
    case.tearDown = tear_down


def _library_utils(module: Any) -> None:
    def wait_until(retry_interval: float = 2, no_of_times: int = 2, callback: Any = None, *callback_args: Any) -> Any:
        """Call ``callback`` up to ``no_of_times``, sleeping before each; it returns (done, value), which is returned."""
        done, value = False, None
        for _ in range(no_of_times):
            time.sleep(retry_interval)
            done, value = callback(*callback_args)
            if done:
                break
        return done, value

    module.wait_until = wait_until


def _library_common(module: Any) -> None:
    get_zone_of_44, get_domain_of_44, get_template_of_44 = module.get_zone, module.get_domain, module.get_template
    codes = sys.modules["marvin.codes"]

    def first(found: Any) -> Any:
        return found[0] if isinstance(found, list) and found else codes.FAILED

    def given(**arguments: Any) -> dict[str, Any]:
        return {name: value for name, value in arguments.items() if value is not None}

    def get_zone(apiclient: Any, zone_name: Any = None, zone_id: Any = None, *, services: Any = None) -> Any:
        """A zone by name or id, or as 4.4.0 by a ``services`` dictionary; else the first."""
        if services is not None or isinstance(zone_name, Mapping):
            return get_zone_of_44(apiclient, services if services is not None else zone_name)
        return first(module.list_zones(apiclient, **given(name=zone_name, id=zone_id)))

    def get_domain(apiclient: Any, domain_id: Any = None, domain_name: Any = None, *, services: Any = None) -> Any:
        """A domain by id or name, or as 4.4.0 by a ``services`` dictionary; else the first."""
        if services is not None or isinstance(domain_id, Mapping):
            return get_domain_of_44(apiclient, services if services is not None else domain_id)
        return first(module.list_domains(apiclient, **given(id=domain_id, name=domain_name)))

    def get_template(
        apiclient: Any,
        zone_id: Any = None,
        ostype_desc: Any = None,
        template_filter: Any = "featured",
        template_type: Any = "BUILTIN",
        template_id: Any = None,
        template_name: Any = None,
        account: Any = None,
        domain_id: Any = None,
        project_id: Any = None,
        hypervisor: Any = None,
        **of_44: Any,
    ) -> Any:
        """A ready template of a type, else the first that fits; with 4.4.0's arguments as 4.4.0 does."""
        if of_44 or isinstance(template_filter, Mapping):
            if template_filter != "featured":
                of_44.setdefault("services", template_filter)
            return get_template_of_44(
                apiclient, of_44.pop("zoneid", zone_id), of_44.pop("ostype", ostype_desc), **of_44
            )
        arguments = given(
            templatefilter=template_filter,
            zoneid=zone_id,
            id=template_id,
            name=template_name,
            account=account,
            domainid=domain_id,
            projectid=project_id,
            hypervisor=hypervisor,
        )
        found = module.list_templates(apiclient, **arguments)
        ready = [each for each in found or () if each.isready and each.templatetype == template_type]
        return first(ready or found)

    def get_test_template(
        apiclient: Any,
        zone_id: Any = None,
        hypervisor: Any = None,
        test_templates: Any = None,
        deploy_as_is: Any = False,
    ) -> Any:
        """The built-in template of a hypervisor (4.4.0 knows no registry of test templates)."""
        return get_template(apiclient, zone_id, hypervisor=hypervisor)

    def get_suitable_test_template(
        apiclient: Any, zoneid: Any, ostypeid: Any, hypervisor: Any, deploy_as_is: Any = False
    ) -> Any:
        """The built-in template of a hypervisor, else any that fits the zone."""
        found = get_template(apiclient, zoneid, hypervisor=hypervisor)
        return found if found != codes.FAILED else get_template(apiclient, zoneid, ostypeid)

    module.get_zone, module.get_domain, module.get_template = get_zone, get_domain, get_template
    module.get_test_template, module.get_suitable_test_template = get_test_template, get_suitable_test_template


ADDITIONS: Mapping[str, Callable[[Any], None]] = {
    "marvin.codes": _codes,
    "marvin.cloudstackException": _exceptions,
    "marvin.cloudstackConnection": _connection,
    "marvin.cloudstackTestClient": _test_client,
    "marvin.cloudstackTestCase": _test_case,
    "marvin.integration.lib.utils": _library_utils,
    "marvin.integration.lib.common": _library_common,
}
