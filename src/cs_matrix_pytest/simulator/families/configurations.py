"""Global settings and their values per zone, cluster, pool, domain and account (ConfigurationManagerImpl)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import check_domain, check_owner
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.configuration import Setting
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.families.capabilities import fixed_rows
from cs_matrix_pytest.simulator.hypervisors import HYPERVISORS
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import ROLE_TYPES, Account, AccountType, Domain
from cs_matrix_pytest.simulator.models.infra import Cluster, ImageStore, ManagementServer, StoragePool, Zone
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.setting_scopes import DOUBLES, LONGS, SCOPED
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("configurations")

SCOPE_PARAMETERS: tuple[tuple[str, str, type[Resource]], ...] = (
    ("zoneid", "zone", Zone),
    ("clusterid", "cluster", Cluster),
    ("accountid", "account", Account),
    ("domainid", "domain", Domain),
    ("storageid", "storagepool", StoragePool),
    ("imagestoreuuid", "imagestore", ImageStore),
    ("imagestoreid", "imagestore", ImageStore),
    ("managementserverid", "managementserver", ManagementServer),
)
"""The parameters that name a scope: parameter, scope, class."""
UNKNOWN_SCOPES = {
    "zone": "unable to find zone",
    "cluster": "unable to find cluster",
    "account": "Unable to find Account",
    "domain": "unable to find domain",
    "storagepool": "unable to find storage pool",
    "imagestore": "unable to find the image store",
    "managementserver": "unable to find management server",
}
"""What a scope that is gone is told to be, by scope."""
OF_DEFAULT_ADMIN = frozenset(
    [
        "role.types.allowed.for.operations.on.accounts.of.same.role.type",
        "allow.operations.on.users.in.same.account",
        "systemvm.userdata.enabled",
        "console.proxy.vm.userdata",
        "secstorage.vm.userdata",
        "virtual.router.userdata",
    ]
)
"""Settings that nobody but the first administrator may change."""
RANGES: dict[str, tuple[str, ...]] = {
    "direct.network.no.default.route": ("true/false",),
    "instance.name": ("instanceName",),
    "router.extra.public.nics": ("0-5",),
    "hypervisor.list": ("hypervisorList",),
    "secstorage.ssl.cert.domain": ("domainName",),
    "check.pod.cidrs": ("true", "false"),
    "host.capacityType.to.order.clusters": ("CPU", "RAM", "COMBINED"),
    "network.loadbalancer.basiczone.elb.enabled": ("true", "false"),
    "network.loadbalancer.basiczone.elb.network": ("guest", "public"),
    "xenserver.pvdriver.version": ("xenserver56", "xenserver61"),
    "network.dns.basiczone.updates": ("all", "pod"),
}
"""The values that older settings can have (Config): a range of numbers, words, or the name of a rule."""
DOMAIN_NAME = re.compile(r"((?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)+[A-Za-z]{1,63}")
BETWEEN = {
    "mac.identifier": (0, 255, "[{name}] value should be between 0 and 255. 0 value will disable this feature."),
    **dict.fromkeys(
        ("threads.on.ms.to.import.vmware.vm.files", "threads.on.kvm.host.to.import.vmware.vm.files"),
        (
            -1,
            10,
            "Please enter a value between -1 and 10 for the configuration parameter: [{name}]. -1 will disable it.",
        ),
    ),
    "vm.password.length": (6, None, "Please enter a value greater than 5 for the configuration parameter: [{name}]."),
    "remote.access.vpn.psk.length": (
        8,
        256,
        "Please enter a value greater than 7 and less than 257 for the configuration parameter: [{name}].",
    ),
    "vm.userdata.max.length": (
        None,
        1048576,
        "Please enter a value less than 1048577 for the configuration parameter: [{name}].",
    ),
}
"""The least and the greatest whole number that a setting can have, and what is said of others."""
CLUSTER_DETAILS = {
    "cpu.overprovisioning.factor": "cpuOvercommitRatio",
    "mem.overprovisioning.factor": "memoryOvercommitRatio",
}
"""Settings that a cluster keeps as details of its own."""
POSITIVE = frozenset(
    [
        "event.purge.interval",
        "account.cleanup.interval",
        "alert.wait",
        "consoleproxy.capacityscan.interval",
        "expunge.interval",
        "host.stats.interval",
        "network.gc.interval",
        "ping.interval",
        "snapshot.poll.interval",
        "storage.stats.interval",
        "storage.cleanup.interval",
        "wait",
        "xenserver.heartbeat.interval",
        "xenserver.heartbeat.timeout",
        "ovm3.heartbeat.interval",
        "ovm3.heartbeat.timeout",
        "incorrect.login.attempts.allowed",
        "vm.password.length",
        "externaldhcp.vmip.retrieval.interval",
        "externaldhcp.vmip.max.retry",
        "externaldhcp.vmipFetch.threadPool.max",
        "remote.access.vpn.psk.length",
        "storage.pool.disk.wait",
        "storage.pool.client.timeout",
        "storage.pool.client.max.connections",
        "vm.userdata.max.length",
    ]
)
"""Whole numbers that must be above zero (populateConfigValuesForValidationSet)."""
WEIGHTS = frozenset(
    [
        "cluster.cpu.allocated.capacity.notificationthreshold",
        "cluster.storage.allocated.capacity.notificationthreshold",
        "cluster.storage.capacity.notificationthreshold",
        "cluster.memory.allocated.capacity.notificationthreshold",
        "zone.virtualnetwork.publicip.capacity.notificationthreshold",
        "pod.privateip.capacity.notificationthreshold",
        "zone.secstorage.capacity.notificationthreshold",
        "zone.vlan.capacity.notificationthreshold",
        "zone.directnetwork.publicip.capacity.notificationthreshold",
        "cluster.localStorage.capacity.notificationthreshold",
        "pool.storage.allocated.capacity.disablethreshold",
        "pool.storage.capacity.disablethreshold",
        "pool.storage.allocated.resize.capacity.disablethreshold",
        "cluster.cpu.allocated.capacity.disablethreshold",
        "cluster.memory.allocated.capacity.disablethreshold",
        "agent.load.threshold",
        "vm.user.dispersion.weight",
        "secondary.storage.capacity.threshold",
        "drs.imbalance",
        "drs.imbalance.condensed.skip.threshold",
        "host.capacityType.to.order.clusters.cputomemoryweight",
    ]
)
"""Shares between 0 and 1; checked where the setting is a Float (validateValueRange)."""
PARENTS = {
    child: parent
    for parent, children in {
        "agent.lb.enabled": "agent.load.threshold",
        "indirect.agent.lb.check.interval": "indirect.agent.lb.algorithm",
        "alert.purge.delay": "alert.purge.interval",
        "api.throttling.enabled": "api.throttling.cachesize api.throttling.interval api.throttling.max",
        "backup.framework.enabled": "backup.framework.provider.plugin backup.framework.sync.interval",
        "cloud.kubernetes.service.enabled": """
            cloud.kubernetes.cluster.max.size cloud.kubernetes.cluster.network.offering
            cloud.kubernetes.cluster.scale.timeout cloud.kubernetes.cluster.start.timeout
            cloud.kubernetes.cluster.upgrade.timeout cloud.kubernetes.cluster.experimental.features.enabled
        """,
        "diagnostics.data.gc.enable": "diagnostics.data.gc.interval diagnostics.data.max.file.age",
        "enable.additional.vm.configuration": """
            allow.additional.vm.configuration.list.kvm allow.additional.vm.configuration.list.vmware
            allow.additional.vm.configuration.list.xenserver
        """,
        "event.purge.delay": "event.purge.interval",
        "network.loadbalancer.basiczone.elb.enabled": """
            network.loadbalancer.basiczone.elb.network network.loadbalancer.basiczone.elb.vm.cpu.mhz
            network.loadbalancer.basiczone.elb.vm.ram.size network.loadbalancer.basiczone.elb.vm.vcpu.num
            network.loadbalancer.basiczone.elb.gc.interval.minutes
        """,
        "prometheus.exporter.enable": "prometheus.exporter.port prometheus.exporter.allowed.ips",
        "router.health.checks.enable": """
            router.health.checks.basic.interval router.health.checks.advanced.interval
            router.health.checks.config.refresh.interval router.health.checks.results.fetch.interval
            router.health.checks.to.exclude router.health.checks.failures.to.recreate.vr
            router.health.checks.free.disk.space.threshold router.health.checks.max.cpu.usage.threshold
            router.health.checks.max.memory.usage.threshold
        """,
        "storage.cache.replacement.enabled": """
            storage.cache.replacement.interval storage.cache.replacement.lru.interval
        """,
        "storage.cleanup.enabled": "storage.cleanup.interval storage.cleanup.delay storage.template.cleanup.enabled",
        "vm.configdrive.primarypool.enabled": "vm.configdrive.use.host.cache.on.unsupported.pool",
    }.items()
    for child in children.split()
}
"""The setting that another one depends on, by the dependent's name."""


@family.on_fresh_install
def default_settings(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    columns, rows = fresh["configurations"]["columns"], fresh["configurations"]["rows"]
    name, value, default = (columns.index(column) for column in ("name", "value", "defaultvalue"))
    settings = cloud.configuration.settings
    for row in rows:
        parent = PARENTS.get(row[name])
        facts = dict(zip(columns, row)) | ({"parent": parent} if parent else {})
        settings[row[name]] = Setting(row[name], row[value], row[default], facts)


def setting_view(setting: Setting, value: str | None, scope: str | None) -> dict[str, Any]:
    """A setting as answers show it, with its value in the scope that was asked for."""
    shown = sentence(setting.name)
    fields = {
        **setting.facts,
        "value": value,
        "defaultvalue": setting.default,
        "description": shown,
        "displaytext": shown,
        "scope": scope,
    }
    return {key: content for key, content in fields.items() if content is not None}


def sentence(name: str) -> str:
    """A setting's display text follows from its name: ``Network gc wait`` for ``network.gc.wait``."""
    text = name.replace(".", " ").replace("-", " ")
    return text[:1].upper() + text[1:]


def scope_of(call: Call) -> tuple[str | None, Resource | None]:
    """The one scope that a request names, and the resource; users and domain admins have theirs by default."""
    named = [
        (scope, call.one(kind, parameter, missing=f"{UNKNOWN_SCOPES[scope]} by id {{}}"))
        for parameter, scope, kind in SCOPE_PARAMETERS
        if parameter in call.command.params and parameter in call
    ]
    caller = call.account
    if not named or not {"account", "domain"} & {scope for scope, _ in named}:
        if caller.type == AccountType.DOMAIN_ADMIN:
            named.append(("domain", caller.domain))
        elif caller.is_normal:
            named.append(("account", caller))
    if len(named) > 1:
        raise InvalidParameterValue("cannot handle multiple IDs, provide only one ID corresponding to the scope")
    if not named:
        return None, None
    scope, resource = named[0]
    if isinstance(resource, Account):
        check_owner(caller, resource)
    elif isinstance(resource, Domain):
        check_domain(caller, resource)
    return scope, resource


def value_in(cloud: Cloud, setting: Setting, resource: Resource | None) -> str | None:
    """A setting's value for a resource: its own, or what it takes over from where it belongs, or the global one."""
    detail = CLUSTER_DETAILS.get(setting.name)
    if isinstance(resource, Cluster) and detail in resource.details:
        return resource.details[detail or ""]
    for owner in _lookup_chain(cloud, setting, resource):
        if owner.id in setting.overrides:
            return setting.overrides[owner.id]
    return setting.value


def _lookup_chain(cloud: Cloud, setting: Setting, resource: Resource | None) -> list[Resource]:
    chain: list[Resource] = [] if resource is None else [resource]
    if isinstance(resource, (Cluster, StoragePool)):
        chain += [each for each in (getattr(resource, "cluster", None), resource.zone) if each is not None]
    flag = cloud.configuration.flag
    to_the_root = flag("enable.domain.settings.for.child.domain")
    domain: Domain | None = None
    if isinstance(resource, Account):
        # AccountDetailsDaoImpl.getConfigValue asks the domains up to ROOT; without it ConfigKey asks the next scope.
        if flag("enable.account.settings.for.domain") and to_the_root:
            domain = resource.domain
        elif setting.name in SCOPED["account"] & SCOPED["domain"]:
            chain.append(resource.domain)
    elif isinstance(resource, Domain) and to_the_root:
        domain = resource.parent
    while domain is not None:
        chain.append(domain)
        domain = domain.parent
    return chain


def has_scope(cloud: Cloud, name: str, scope: str) -> bool:
    """True where a setting can have a value in a scope."""
    if name in SCOPED.get(scope, ()):
        return True
    for_domains = cloud.configuration.flag("enable.account.settings.for.domain")
    return scope == "domain" and for_domains and name in SCOPED["account"]


@family.command("listConfigurations", object_name="configuration")
def list_configurations(call: Call) -> Answer:
    cloud, (scope, resource) = call.cloud, scope_of(call)
    _check_group(cloud, call)
    rows = []
    for setting in sorted(cloud.configuration.settings.values(), key=lambda each: each.name):
        if scope is not None and not has_scope(cloud, setting.name, scope):
            continue
        if _matches(setting, call):
            rows.append(setting)
    listing = page(call, rows)
    return (
        {
            "count": listing.total,
            "configuration": [setting_view(row, value_in(cloud, row, resource), scope) for row in listing.rows],  # type: ignore[arg-type]
        }
        if listing.total
        else {}
    )


def _matches(setting: Setting, call: Call) -> bool:
    facts = setting.facts
    keyword = call.get("keyword", "").lower()
    return (
        call.get("name", "").lower() in setting.name.lower()
        and call.get("category", facts.get("category")) == facts.get("category")
        and call.get("group", facts.get("group")) == facts.get("group")
        and call.get("subgroup", facts.get("subgroup")) == facts.get("subgroup")
        and call.get("parent", facts.get("parent")) == facts.get("parent")
        and (
            not keyword
            or any(
                keyword in str(text or "").lower()
                for text in (setting.name, facts.get("component"), facts.get("category"), setting.value)
            )
        )
    )


def _check_group(cloud: Cloud, call: Call) -> None:
    settings = cloud.configuration.settings.values()
    for parameter, called in (("group", "group"), ("subgroup", "subgroup")):
        wanted = call.get(parameter)
        if wanted is not None and not any(setting.facts.get(parameter) == wanted for setting in settings):
            raise ParameterError(f"Invalid configuration {called}: {wanted}")
    if "subgroup" in call and "group" not in call:
        raise ParameterError("Configuration group name must be specified with the subgroup name")


def setting_named(call: Call) -> Setting:
    """The setting that a request names."""
    name = call["name"]
    settings = call.cloud.configuration.settings
    # The database compares names without regard to case.
    setting = settings.get(name) or next(
        (each for each in settings.values() if each.name.lower() == name.lower()), None
    )
    if setting is None:
        raise InvalidParameterValue(f"Config parameter with name {name} doesn't exist")
    return setting


@family.command("updateConfiguration", object_name="configuration")
def update_configuration(call: Call) -> Answer:
    if not call["name"]:
        raise ParameterError("Empty configuration name provided")
    if call["name"].lower() == "dynamic.apichecker.enabled":
        raise ParameterError("Restricted configuration update not allowed")
    setting, value = setting_named(call), call.get("value")
    if value is None:
        raise InvalidParameterValue(f"The new value for the [{setting.name}] configuration must be given.")
    _check_addresses(setting, value)
    if setting.name == "cloud.kubernetes.etcd.node.start.port" and value == "2222":
        raise InvalidParameterValue(
            "This range is reserved for Kubernetes cluster nodes.Please choose a value in a higher range would does not "
            "conflict with a kubernetes cluster deployed"
        )
    if setting.facts.get("category") == "System" and not call.is_root_admin:
        raise InternalError("Only Root Admin is allowed to edit this configuration.")
    scope, resource = scope_of(call)
    value = _normalized(setting, value, resource)
    _check_default_admin(call, setting, value)
    if scope is not None and not has_scope(call.cloud, setting.name, scope):
        raise InvalidParameterValue(f"Invalid scope id provided for the parameter {setting.name}")
    check_value(setting, value)
    keep(setting, resource, value)
    # Whatever the scope, the answer shows the global value.
    return {"configuration": setting_view(setting, setting.value, scope)}


def _normalized(setting: Setting, value: str, resource: Resource | None) -> str | None:
    """A value without blanks around it; nothing and ``null`` are no value, but for text and in a scope."""
    value = value.strip()
    if setting.facts.get("type") == "Boolean":
        value = value.lower()
    if value and value != "null":
        return value
    return "" if resource is not None or java_type(setting) == "String" else None


def _check_default_admin(call: Call, setting: Setting, value: str | None) -> None:
    """Raise InternalError where a setting is not the caller's to change, or names roles that there are not."""
    if setting.name not in OF_DEFAULT_ADMIN:
        return
    if call.caller.user is not call.cloud.admin_user:
        raise InternalError("Only default admin is allowed to change this setting")
    if setting.name.startswith("role.types."):
        if not value:
            raise InternalError("Value for role types must not be empty")
        if not {role.strip() for role in value.split(",")} <= {"Unknown", *ROLE_TYPES}:
            raise InternalError("Invalid role types provided in value")


def _check_addresses(setting: Setting, value: str) -> None:
    """Raise InvalidParameterValue where a setting of addresses has none."""
    name = setting.name
    if not value or java_type(setting) != "String":
        return
    if name.endswith(".iprange"):
        ends = value.split("-")
        valid = len(ends) == 2 and all(map(ipv4.is_address, ends))
    else:
        valid = not name.endswith((".ip", ".ipaddress")) or ipv4.is_address(value)
    if not valid:
        raise InvalidParameterValue("Invalid IP address value(s) specified for the config value.")


def keep(setting: Setting, resource: Resource | None, value: str | None) -> None:
    """Set a value, or take a resource's own value away with None."""
    detail = CLUSTER_DETAILS.get(setting.name)
    if resource is None:
        setting.value = value
    elif isinstance(resource, Cluster) and detail:
        resource.details[detail] = value if value is not None else setting.value or "1.0"
    elif value is None:
        setting.overrides.pop(resource.id, None)
    else:
        setting.overrides[resource.id] = value


def java_type(setting: Setting) -> str:
    """The Java class of a setting's value."""
    kind = setting.facts.get("type")
    if kind == "Number":
        return "Long" if setting.name in LONGS else "Double" if setting.name in DOUBLES else "Integer"
    if kind in ("Decimal", "Range"):
        return "Double" if setting.name in DOUBLES else "Float"
    return "Boolean" if kind == "Boolean" else "String"


def check_value(setting: Setting, value: str | None) -> None:
    """Raise InvalidParameterValue unless a setting can have this value (validateConfigurationValue)."""
    name, kind = setting.name, java_type(setting)
    if value is None or not _is_valid(kind, value):
        shown = "null" if value is None else value
        raise InvalidParameterValue(f"Value [{shown}] is not a valid [class java.lang.{kind}].")
    if kind == "Float" and name in CLUSTER_DETAILS and float(value) <= 0:
        raise InvalidParameterValue(f"Value for configuration [{name}] should be greater than 0.")
    if kind == "Float" and name in WEIGHTS and not 0 <= float(value) <= 1:
        raise InvalidParameterValue(f"Please enter a value between 0 and 1 for the configuration parameter: [{name}].")
    if kind == "Integer" and name in POSITIVE and int(value) <= 0:
        raise InvalidParameterValue(f"Please enter a positive value for the configuration parameter: [{name}].")
    if kind == "Integer" and name in BETWEEN:
        least, most, text = BETWEEN[name]
        if (least is not None and int(value) < least) or (most is not None and int(value) > most):
            raise InvalidParameterValue(text.format(name=name))
    if name == "secstorage.allowed.internal.sites" and value:
        for each in value.split(","):
            if not (ipv4.is_address(each) or ipv4.is_cidr(each) or ":" in each):
                raise InvalidParameterValue(f"Invalid CIDR {each} value specified for the config {name}.")
    if name == "commands.timeout":
        _check_timeouts(value)
    _check_range(name, value)


def _check_range(name: str, value: str) -> None:
    options = RANGES.get(name)
    if options is None:
        return
    first, _, last = options[0].partition("-")
    if first.isdecimal() and last.isdecimal():
        if not int(first) <= int(value) <= int(last):
            raise InvalidParameterValue(
                "The provided value is not valid for this configuration. Please enter an integer in the range: "
                f"[{options[0]}]"
            )
        return
    refusals = [refusal for option in options if (refusal := _refusal(option, value))]
    if len(refusals) < len(options):
        return
    joined = f"not {refusals[0]}" if len(refusals) == 1 else "neither " + " NOR ".join(refusals)
    raise InvalidParameterValue(f"The provided value is {joined}.")


def _refusal(option: str, value: str) -> str | None:
    """What is wrong with a value by one of the things that it may be, None where nothing is."""
    if option == "instanceName":
        proper = not set(value) & set("- +")
        return None if proper else "a valid instance name (instance names cannot contain hyphens, spaces or plus signs)"
    if option == "hypervisorList":
        known = all(each.lower() not in ("any", "none") and hypervisor_known(each) for each in value.split(","))
        return None if known else "a valid hypervisor type"
    if option == "domainName":
        name = value.removeprefix("*.")
        proper = len(name) < 238 and DOMAIN_NAME.fullmatch(name) is not None
        return None if proper else "a valid domain name"
    same = option.lower() == value.lower()
    return None if same else f"a valid value for this configuration (Options are: [{option}])"


def hypervisor_known(name: str) -> bool:
    """True for a hypervisor type that the server knows."""
    return name.strip().lower() in (*HYPERVISORS, "parralels", "custom")


def _is_valid(kind: str, value: str) -> bool:
    limits = {"Integer": 2**31, "Long": 2**63}
    try:
        if kind in limits:
            return -limits[kind] <= int(value) < limits[kind]
        if kind in ("Float", "Double"):
            return abs(float(value)) != float("inf")
    except ValueError:
        return False
    return kind != "Boolean" or value in ("true", "false")


def _check_timeouts(value: str) -> None:
    for command in filter(None, (each.strip() for each in value.split(","))):
        name, equals, number = command.partition("=")
        if not equals:
            raise InvalidParameterValue(f"Validation failed: Command '{command}' does not contain '='.")
        if not number.strip() or "=" in number:
            raise InvalidParameterValue(f"Validation failed: Command '{command}' is not properly formatted.")
        if not name.strip():
            raise InvalidParameterValue(f"Validation failed: Command name is missing in '{command}'.")
        name, number = name.strip(), number.strip()
        try:
            seconds = int(number)
        except ValueError:
            raise InvalidParameterValue(
                f"Validation failed: The value for command '{name}' is not a valid integer. Invalid value: {number}"
            ) from None
        if seconds <= 0:
            raise InvalidParameterValue(
                f"Validation failed: The value for command '{name}' is not greater than 0. Invalid value: {seconds}"
            )


@family.command("resetConfiguration", object_name="configuration")
def reset_configuration(call: Call) -> Answer:
    setting = setting_named(call)
    scope, resource = scope_of(call)
    if scope is not None and not has_scope(call.cloud, setting.name, scope):
        raise InvalidParameterValue(f"Invalid scope id provided for the parameter {setting.name}")
    keep(setting, resource, setting.default if resource is None else None)
    return {"configuration": setting_view(setting, value_in(call.cloud, setting, resource), scope)}


@family.command("listConfigurationGroups", object_name="configurationgroup")
def list_configuration_groups(call: Call) -> Answer:
    wanted = call.get("group")
    rows = [group for group in fixed_rows("listConfigurationGroups") if wanted in (None, group["name"])]
    return page(call, rows)
