"""The tables: which rows of state each is made of, and where its columns come from.

Columns are named as in CloudStack's database (engine/schema of its sources) and stand in its order; what the simulator does
not keep is left out, so that asking for it is an error instead of a guess. ``id`` is the number that the store gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.families.schedules import kind_of
from cs_matrix_pytest.simulator.models.iam import Account, Domain, Project, Role, User
from cs_matrix_pytest.simulator.models.infra import (
    Alert,
    Cluster,
    Host,
    HypervisorCapabilities,
    ImageStore,
    IpRange,
    ManagementServer,
    PhysicalNetwork,
    Pod,
    StoragePool,
    TrafficType,
    Zone,
)
from cs_matrix_pytest.simulator.models.jobs import Event, Job
from cs_matrix_pytest.simulator.models.networks import (
    Network,
    Router,
    SecondaryAddress,
    Vpc,
)
from cs_matrix_pytest.simulator.models.offerings import (
    DiskOffering,
    NetworkOffering,
    ServiceOffering,
    VpcOffering,
)
from cs_matrix_pytest.simulator.models.schedules import ResourceSchedule, ScheduledJob
from cs_matrix_pytest.simulator.models.storage import Snapshot, SnapshotPolicy, Volume
from cs_matrix_pytest.simulator.models.vm import UserVm, VmSnapshot
from cs_matrix_pytest.simulator.sql.host_tables import HOST_TABLES
from cs_matrix_pytest.simulator.sql.rows import (
    APART,
    IMAGES,
    INTERVALS,
    MSID,
    PURPOSES,
    RULES,
    VMS,
    Detail,
    account_totals,
    add_management_server,
    add_role_permission,
    addresses,
    delete_detail,
    details,
    every,
    first,
    forget,
    host_capacities,
    image_copies,
    image_id,
    insert_detail,
    isolation_methods,
    job_result,
    nics_with_machines,
    number_of_image,
    of_address,
    of_server,
    pairs,
    part,
    pool_hosts,
    remove_role_permission,
    role_permissions,
    rule_id,
    settings,
    snapshot_copies,
    total,
    usage_events,
    vm_id,
    vm_type,
    vnets,
    volumes_on_secondary,
    write_detail,
    write_removed,
    write_source,
    write_state,
)
from cs_matrix_pytest.simulator.sql.table import Column, Table, assign, columns, moment
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    pass


def details_table(name: str, kind: type[Resource], owner: str) -> Table:
    """A ``…_details`` table; ``owner`` is its column for the resource's id."""
    return Table(
        name,
        details(kind),
        columns(
            f"id {owner}=resource.number name value display",
            # Ids of both sorts in one table.
            id=lambda row: row.id if isinstance(row, Detail) else APART + row.number,
            value=Column("value", write_detail),
            display=lambda row: isinstance(row, Detail),
        ),
        insert=insert_detail(kind, owner),
        delete=delete_detail,
    )


def account_columns() -> dict[str, Column]:
    return columns(
        """
                id=number account_name=name uuid=id type role_id=role.number domain_id=domain.number state
                created removed cleanup_needed network_domain default=is_default
                """,
        state=Column("state", write_state),
        cleanup_needed=lambda _account: False,
    )


def usage_event_columns() -> dict[str, Column]:
    return columns(
        """
                id=number type account_id=account.number created zone_id resource_id resource_name offering_id
                template_id size resource_type=resource_kind processed virtual_size vm_id
                """,
        zone_id=lambda event: event.zone.number if event.zone else 0,
        processed=lambda _event: False,
    )


NO_TRAFFIC = ("net_bytes_received", "net_bytes_sent", "current_bytes_received", "current_bytes_sent")


def traffic_columns() -> dict[str, Column]:
    return columns(
        """
                id=number data_center_id=zone.number account_id=account.number
                public_ip_address=public.ip_address device_id=number device_type network_id
                net_bytes_received net_bytes_sent current_bytes_received current_bytes_sent
                """,
        device_type=lambda _router: "DomainRouter",
        network_id=lambda router: router.nics[0].network.number if router.nics else None,
        **dict.fromkeys(NO_TRAFFIC, lambda _router: 0),
    )


ALL = (
    # Who
    Table(
        "domain",
        every(Domain),
        columns("""
                id=number parent=parent.number name uuid=id path level state created removed network_domain
                """),
    ),
    Table("account", every(Account), account_columns()),
    Table(
        "account_view",
        account_totals,
        columns(
            """
            id=account.number uuid=account.id account_name=account.name type=account.type
            state=account.state removed=account.removed domain_id=account.domain.number
            domain_name=account.domain.name vmTotal ipTotal volumeTotal snapshotTotal templateTotal
            projectTotal networkTotal vpcTotal cpuTotal memoryTotal primaryStorageTotal
            secondaryStorageTotal
            """,
            vmTotal=total("user_vm"),
            ipTotal=total("public_ip"),
            volumeTotal=total("volume"),
            snapshotTotal=total("snapshot"),
            templateTotal=total("template"),
            projectTotal=total("project"),
            networkTotal=total("network"),
            vpcTotal=total("vpc"),
            cpuTotal=total("cpu"),
            memoryTotal=total("memory"),
            primaryStorageTotal=total("primary_storage"),
            secondaryStorageTotal=total("secondary_storage"),
        ),
    ),
    Table(
        "user",
        every(User),
        columns(
            """
            id=number uuid=id username account_id=account.number firstname=first_name lastname=last_name
            email state timezone created removed source default=is_default
            """,
            state=Column("state", write_state),
            source=Column(lambda user: user.source.upper(), write_source),
        ),
    ),
    Table(
        "projects",
        every(Project),
        columns("""
                id=number uuid=id name display_text project_account_id=account.number domain_id=domain.number
                created removed state
                """),
    ),
    Table(
        "roles",
        every(Role),
        columns("""
                id=number uuid=id name role_type=type removed description is_default public_role=is_public
                state
                """),
    ),
    Table(
        "role_permissions",
        role_permissions,
        columns(
            "id uuid role_id rule permission description sort_order",
            id=lambda row: row[1].number,
            uuid=lambda row: row[1].id,
            role_id=lambda row: row[1].role.number,
            rule=lambda row: row[1].rule,
            permission=lambda row: "ALLOW" if row[1].allow else "DENY",
            description=lambda row: row[1].description,
            sort_order=lambda row: row[0],
        ),
        insert=add_role_permission,
        delete=remove_role_permission,
    ),
    # Settings, jobs, events
    Table(
        "configuration",
        settings,
        columns("name value default_value=default", value=Column("value", assign("value"))),
    ),
    Table(
        "async_job",
        every(Job),
        columns(
            """
            id=number user_id=user.number account_id=account.number instance_type
            instance_id=instance.number job_cmd=java_class job_cmd_info job_cmd_ver job_status=status
            job_process_status job_result_code=result_code job_result job_init_msid job_complete_msid
            created last_updated last_polled=completed removed=completed uuid=id related job_type
            job_dispatcher job_executing_msid job_pending_signals
            """,
            job_cmd_info=lambda _job: None,
            job_cmd_ver=lambda _job: 0,
            job_process_status=lambda _job: 0,
            job_result=job_result,
            job_init_msid=lambda _job: MSID,
            job_complete_msid=lambda job: MSID if job.completed else None,
            last_updated=first("completed", "created"),
            related=lambda _job: "",
            job_type=lambda _job: None,
            job_dispatcher=lambda _job: "ApiAsyncJobDispatcher",
            job_executing_msid=lambda job: None if job.completed else MSID,
            job_pending_signals=lambda job: int(job.completed is not None),
        ),
    ),
    Table(
        "event",
        every(Event),
        columns(
            """
            id=number uuid=id type state description user_id=user.number account_id=account.number
            domain_id=account.domain.number created level start_id archived resource_id=resource.number
            resource_type=resource_kind
            """,
            start_id=lambda event: event.parent.number if event.parent else 0,
        ),
    ),
    Table(
        "alert",
        every(Alert),
        columns(
            """
            id=number uuid=id type subject=description sent_count created archived name
            """,
            sent_count=lambda _alert: 1,
        ),
    ),
    # Places and machines
    Table(
        "data_center",
        every(Zone),
        columns("""
                id=number name uuid=id dns1 dns2 internal_dns1 internal_dns2 domain networktype=network_type
                domain_id=owner_domain.number is_security_group_enabled=security_groups_enabled
                is_local_storage_enabled=local_storage_enabled allocation_state guest_network_cidr=guest_cidr
                zone_token=token removed
                """),
    ),
    Table(
        "host_pod_ref",
        every(Pod),
        columns("""
                id=number name uuid=id data_center_id=zone.number gateway allocation_state removed
                """),
    ),
    Table(
        "cluster",
        every(Cluster),
        columns("""
                id=number name uuid=id guid pod_id=pod.number data_center_id=zone.number
                hypervisor_type=hypervisor cluster_type allocation_state managed_state removed
                """),
    ),
    Table(
        "host",
        every(Host),
        columns(
            """
            id=number name uuid=id status type private_ip_address=ip_address cluster_id=cluster.number
            data_center_id=zone.number pod_id=pod.number cpus=cpu_number speed=cpu_speed url
            hypervisor_type=hypervisor hypervisor_version ram=memory guid resource_state created removed
            mgmt_server_id
            """,
            status=Column("state", write_state),
            guid=lambda host: None if host.removed else f"{host.id}-{host.hypervisor}Resource",
            resource_state=Column("resource_state", assign("resource_state")),
            mgmt_server_id=lambda host: MSID if host.state == "Up" else None,
        ),
    ),
    Table(
        "mshost",
        every(ManagementServer),
        columns(
            """
            id=number msid runid name uuid=id state version service_ip service_port last_update=created
            removed
            """,
            msid=of_server("msid", MSID),
            runid=of_server("runid", 1),
            state=Column("state", write_state),
            service_ip=of_server("service_ip", "127.0.0.1"),
            service_port=of_server("service_port", 8250),
            removed=Column("removed", write_removed),
        ),
        insert=add_management_server,
        delete=forget,
    ),
    details_table("data_center_details", Zone, "dc_id"),
    details_table("cluster_details", Cluster, "cluster_id"),
    details_table("host_details", Host, "host_id"),
    Table(
        "hypervisor_capabilities",
        every(HypervisorCapabilities),
        columns(
            """
            id=number uuid=id hypervisor_type=hypervisor hypervisor_version=version max_guests_limit
            security_group_enabled max_data_volumes_limit max_hosts_per_cluster storage_motion_supported
            vm_snapshot_enabled
            """,
            max_guests_limit=lambda row: row.facts.get("maxguestslimit"),
            security_group_enabled=lambda row: row.facts.get("securitygroupenabled"),
            max_data_volumes_limit=lambda row: row.facts.get("maxdatavolumeslimit"),
            max_hosts_per_cluster=lambda row: row.facts.get("maxhostspercluster"),
            storage_motion_supported=lambda row: row.facts.get("storagemotionenabled"),
            vm_snapshot_enabled=lambda row: row.facts.get("vmsnapshotenabled"),
        ),
    ),
    Table(
        "op_host_capacity",
        host_capacities,
        columns("""
                id host_id=resource.number data_center_id=resource.zone.number pod_id=resource.pod.number
                cluster_id=resource.cluster.number total_capacity=total capacity_type=type
                capacity_state=state
                """),
    ),
    # Storage
    Table(
        "storage_pool",
        every(StoragePool),
        columns(
            """
            id=number name uuid pool_type=type data_center_id=zone.number pod_id=pod.number
            cluster_id=cluster.number capacity_bytes=capacity host_address=ip_address path created removed
            status storage_provider_name=provider scope hypervisor managed capacity_iops
            """,
            # The row of a removed pool gives its uuid up: a new pool of the same URL has the same one.
            uuid=lambda pool: None if pool.removed else pool.id,
            status=Column("state", write_state),
        ),
    ),
    details_table("storage_pool_details", StoragePool, "pool_id"),
    Table(
        "storage_pool_host_ref",
        pairs(pool_hosts),
        columns("id host_id=right.number pool_id=left.number"),
    ),
    Table(
        "storage_pool_tags",
        pairs(lambda cloud: ((pool, tag) for pool in cloud.store.table(StoragePool) for tag in pool.storage_tags)),
        columns("id pool_id=left.number tag=right is_tag_a_rule=left.tag_is_rule"),
    ),
    Table(
        "image_store",
        every(ImageStore),
        columns(
            """
            id=number name image_provider_name=provider protocol url data_center_id=zone.number scope role
            uuid=id created removed total_size=capacity readonly=read_only
            """,
            role=lambda _store: "Image",
        ),
    ),
    Table(
        "volumes",
        every(Volume),
        columns(
            """
            id=number account_id=account.number domain_id=account.domain.number pool_id=pool.number
            instance_id=vm.number device_id name uuid=id size path pod_id=pool.pod.number
            data_center_id=zone.number volume_type=type pool_type=pool.type
            disk_offering_id=disk_offering.number template_id=template.number created removed attached
            state chain_info display_volume=display min_iops max_iops
            provisioning_type=disk_offering.provisioning_type
            """,
            state=Column("state", write_state),
        ),
    ),
    Table(
        "volume_store_ref",
        pairs(volumes_on_secondary),
        columns(
            "id store_id=right.number volume_id=left.number zone_id=left.zone.number created=left.created size=left.size "
            "state url=left.url",
            state=lambda row: "Ready" if row.left.state == "Uploaded" else "Allocated",
        ),
    ),
    details_table("volume_details", Volume, "volume_id"),
    Table(
        "snapshots",
        every(Snapshot),
        columns(
            """
            id=number data_center_id=zone.number account_id=account.number domain_id=account.domain.number
            volume_id=volume.number disk_offering_id=volume.disk_offering.number status=state name uuid=id
            snapshot_type type_description=type size created removed backup_snap_id
            hypervisor_type=volume.hypervisor location_type
            """,
            snapshot_type=lambda snapshot: int(snapshot.policy is not None),
            backup_snap_id=lambda _snapshot: None,
        ),
    ),
    details_table("snapshot_details", Snapshot, "snapshot_id"),
    Table(
        "snapshot_store_ref",
        pairs(snapshot_copies),
        columns(
            """
            id store_id=right.number snapshot_id=left.number created=left.created store_role
            size=left.size physical_size=left.physical_size volume_id=left.volume.number install_path
            state
            """,
            store_role=lambda _row: "Image",
            install_path=lambda row: f"snapshots/{row.left.account.number}/{row.left.volume.number}/{row.left.id}",
            state=lambda _row: "Ready",
        ),
    ),
    Table(
        "snapshot_policy",
        every(SnapshotPolicy),
        columns(
            """
            id=number uuid=id volume_id=volume.number schedule timezone interval max_snaps active display
            """,
            interval=lambda policy: INTERVALS.index(policy.interval.upper()),
            active=lambda policy: policy.removed is None,
        ),
    ),
    Table(
        "resource_schedule",
        every(ResourceSchedule),
        columns(
            """
            id=number uuid=id resource_type resource_id=resource.number description schedule timezone action enabled
            start_date=start end_date=end created removed
            """,
            resource_type=lambda schedule: kind_of(schedule.resource),
        ),
    ),
    Table(
        "resource_scheduled_job",
        every(ScheduledJob),
        columns(
            """
            id=number uuid=id resource_type resource_id=schedule.resource.number schedule_id=schedule.number
            action=schedule.action scheduled_timestamp=when async_job_id
            """,
            resource_type=lambda job: kind_of(job.schedule.resource),
            async_job_id=lambda _job: None,
        ),
    ),
    Table(
        "vm_snapshots",
        every(VmSnapshot),
        columns("""
                id=number uuid=id name display_name description vm_id=vm.number account_id=account.number
                domain_id=account.domain.number service_offering_id=vm.service_offering.number
                vm_snapshot_type=type state parent=parent.number created removed
                """),
    ),
    # Images
    Table(
        "vm_template",
        every(*IMAGES),
        columns(
            """
            id unique_name name uuid=id public=is_public featured=is_featured type=template_type
            hvm=requires_hvm bits url format created removed account_id=account.number checksum
            display_text enable_password=password_enabled enable_sshkey=sshkey_enabled
            guest_os_id=os_type.number bootable cross_zones extractable=is_extractable
            hypervisor_type=hypervisor size template_tag sort_key dynamically_scalable direct_download
            deploy_as_is arch
            """,
            id=image_id,
            unique_name=lambda image: image.id,
            name=Column("name", assign("name")),
        ),
    ),
    Table(
        "template_store_ref",
        image_copies,
        columns(
            """
            id store_id=copy.store.number template_id created=copy.created store_role
            download_pct=copy.percent size=image.size physical_size=image.physical_size
            download_state=copy.download_state error_str=copy.error state url=image.url
            """,
            template_id=lambda row: image_id(row.image),
            store_role=lambda _row: "Image",
            state=lambda row: "Ready" if row.copy.is_ready else "Creating",
        ),
    ),
    Table(
        "template_zone_ref",
        image_copies,
        columns(
            """
            id zone_id=copy.zone.number template_id created=copy.created removed=image.removed
            """,
            template_id=lambda row: image_id(row.image),
        ),
    ),
    # Offerings
    Table(
        "disk_offering",
        every(DiskOffering),
        columns(
            """
            id=number name uuid=id display_text disk_size tags=storage_tags use_local_storage customized
            created removed sort_key display_offering=display customized_iops=custom_iops min_iops
            max_iops cache_mode provisioning_type state compute_only encrypt disk_size_strictness=strict
            """,
            disk_size=lambda row: row.disk_size * 1024**3,
            use_local_storage=lambda row: row.storage_type == "local",
        ),
    ),
    Table(
        "service_offering",
        every(ServiceOffering),
        columns("""
                id=number cpu=cpu_number speed=cpu_speed ram_size=memory nw_rate=network_rate
                ha_enabled=offer_ha limit_cpu_use host_tag=host_tags default_use vm_type=system_vm_type
                is_volatile deployment_planner dynamic_scaling_enabled=dynamic_scaling
                disk_offering_id=disk_offering.number uuid=id name display_text unique_name
                system_use=is_system created removed state
                """),
    ),
    Table(
        "network_offerings",
        every(NetworkOffering),
        columns("""
                id=number name uuid=id unique_name=name display_text nw_rate=network_rate traffic_type
                tags=tags_text system_only=is_system specify_vlan conserve_mode created removed
                default=is_default availability state guest_type specify_ip_ranges is_persistent
                egress_default_policy keep_alive_enabled=keep_alive for_vpc sort_key
                service_offering_id=service_offering.number
                """),
    ),
    Table(
        "vpc_offerings",
        every(VpcOffering),
        columns("""
                id=number uuid=id name display_text state default=is_default created removed
                service_offering_id=service_offering.number redundant_router_service=redundant_router
                """),
    ),
    # Networks
    Table(
        "physical_network",
        every(PhysicalNetwork),
        columns("""
                id=number uuid=id name data_center_id=zone.number vnet=vlan speed
                domain_id=owner_domain.number broadcast_domain_range state created removed
                """),
    ),
    Table(
        "physical_network_traffic_types",
        every(TrafficType),
        columns("""
                id=number uuid=id physical_network_id=physical_network.number traffic_type vlan
                """),
    ),
    Table(
        "physical_network_isolation_methods",
        pairs(isolation_methods),
        columns("id physical_network_id=left.number isolation_method=right"),
    ),
    Table(
        "op_dc_vnet_alloc",
        pairs(vnets),
        columns("""
                id vnet=right physical_network_id=left.number data_center_id=left.zone.number
                """),
    ),
    Table(
        "networks",
        every(Network),
        columns("""
                id=number name uuid=id display_text traffic_type broadcast_uri gateway cidr
                network_offering_id=offering.number physical_network_id=physical_network.number
                data_center_id=zone.number guest_type state account_id=account.number
                domain_id=account.domain.number dns1 dns2 acl_type network_domain vpc_id=vpc.number
                ip6_gateway ip6_cidr network_cidr display_network=display redundant
                network_acl_id=acl_list.number restart_required created removed public_mtu private_mtu
                """),
    ),
    details_table("network_details", Network, "network_id"),
    Table(
        "vpc",
        every(Vpc),
        columns("""
                id=number uuid=id name display_text cidr vpc_offering_id=offering.number zone_id=zone.number
                state account_id=account.number domain_id=account.domain.number network_domain created removed
                restart_required display redundant public_mtu
                """),
    ),
    Table(
        "vlan",
        every(IpRange),
        columns(
            """
            id=number uuid=id vlan_id=vlan vlan_gateway=gateway vlan_netmask=netmask description vlan_type
            data_center_id=zone.number network_id=network.number
            physical_network_id=physical_network.number created removed
            """,
            description=lambda range: f"{range.start_ip}-{range.end_ip}",
            vlan_type=lambda range: "VirtualNetwork" if range.for_virtual_network else "DirectAttached",
        ),
    ),
    Table(
        "user_ip_address",
        addresses,
        columns(
            """
            id uuid account_id=ip.account.number domain_id=ip.account.domain.number
            public_ip_address=address data_center_id=range.zone.number source_nat allocated=ip.created
            vlan_db_id=range.number one_to_one_nat vm_id=ip.vm.number state network_id=ip.network.number
            vpc_id=ip.vpc.number dnat_vmip=ip.vm_ip is_system is_portable display removed=ip.removed
            """,
            source_nat=of_address("source_nat"),
            one_to_one_nat=of_address("static_nat"),
            is_system=of_address("is_system"),
            is_portable=of_address("is_portable"),
            display=of_address("display"),
        ),
    ),
    Table(
        "firewall_rules",
        every(*RULES),
        columns(
            """
            id uuid=id ip_address_id start_port end_port state protocol purpose account_id=account.number
            domain_id=account.domain.number network_id=network.number created icmp_code icmp_type type
            traffic_type display
            """,
            id=rule_id,
            ip_address_id=part("ip.number"),
            start_port=first("start_port", "public_port", "source_port"),
            end_port=first("end_port", "public_end_port", "public_port", "source_port"),
            protocol=part("protocol"),
            purpose=lambda rule: PURPOSES[type(rule)],
            icmp_code=part("icmp_code"),
            icmp_type=part("icmp_type"),
            type=lambda rule: getattr(rule, "type", "User"),
            traffic_type=lambda rule: "Egress" if getattr(rule, "egress", False) else "Ingress",
            display=part("display"),
        ),
    ),
    Table(
        "nics",
        nics_with_machines,
        columns(
            """
            id=nic.number uuid=nic.id instance_id mac_address=nic.mac_address ip4_address=nic.ip_address
            netmask=nic.netmask gateway=nic.gateway network_id=nic.network.number state
            device_id=nic.device_id default_nic=nic.is_default vm_type strategy created=nic.created
            removed=nic.removed broadcast_uri=nic.broadcast_uri isolation_uri=nic.broadcast_uri
            """,
            instance_id=lambda row: vm_id(row.machine) if row.machine else None,
            state=lambda row: "Reserved" if row.machine else "Allocated",
            vm_type=lambda row: vm_type(row.machine) if row.machine else None,
            strategy=lambda _row: "Start",
        ),
    ),
    Table(
        "nic_secondary_ips",
        every(SecondaryAddress),
        columns("""
                id=number uuid=id nicId=nic.number ip4_address=address created network_id=nic.network.number
                """),
    ),
    # Virtual machines
    Table(
        "vm_instance",
        every(*VMS),
        columns(
            """
            id name uuid=id instance_name state vm_template_id guest_os_id private_ip_address
            pod_id=pod.number data_center_id=zone.number host_id=host.number last_host_id ha_enabled
            update_time created removed type vm_type account_id domain_id service_offering_id
            hypervisor_type disk_offering_id cpu ram speed user_id display_vm dynamically_scalable
            display_name delete_protection power_state
            """,
            id=vm_id,
            name=Column("name"),
            instance_name=first("instance_name", "name"),
            state=Column("state", write_state),
            vm_template_id=lambda vm: number_of_image(vm),
            guest_os_id=part("os_type.number"),
            private_ip_address=part("default_nic.ip_address"),
            last_host_id=part("last_host.number"),
            ha_enabled=part("ha_enabled"),
            update_time=part("last_updated"),
            created=Column("created", assign("created", moment)),
            removed=Column("removed", write_removed),
            type=vm_type,
            vm_type=vm_type,
            account_id=part("account.number"),
            domain_id=part("account.domain.number"),
            service_offering_id=part("service_offering.number"),
            hypervisor_type=part("hypervisor"),
            disk_offering_id=part("root_volume.disk_offering.number"),
            cpu=part("cpu_number"),
            ram=part("memory"),
            speed=part("cpu_speed"),
            user_id=part("user.number"),
            display_vm=part("display"),
            dynamically_scalable=part("dynamically_scalable"),
            display_name=part("display_name"),
            delete_protection=part("delete_protection"),
            power_state=lambda vm: "PowerOn" if vm.state == "Running" else "PowerOff",
        ),
    ),
    Table(
        "user_vm",
        every(UserVm),
        columns("id=number display_name user_data"),
    ),
    details_table("vm_instance_details", UserVm, "vm_id"),
    details_table("user_vm_details", UserVm, "vm_id"),
    # Usage
    Table("usage_event", usage_events, usage_event_columns()),
    Table("usage_event", usage_events, usage_event_columns(), schema="cloud_usage"),
    Table("account", every(Account), account_columns(), schema="cloud_usage"),
    Table("user_statistics", every(Router), traffic_columns()),
    Table("user_statistics", every(Router), traffic_columns(), schema="cloud_usage"),
)

NEVER_FILLED = {
    "cloud.nic_ip_alias": "id uuid nic_id ip4_address ip6_address netmask gateway network_id vmId",
    "cloud.ldap_trust_map": "id domain_id type name account_type account_id",
    "cloud.vm_schedule": (
        "id vm_id uuid description schedule timezone action enabled start_date end_date created removed"
    ),
    "cloud.vm_scheduled_job": "id vm_id vm_schedule_id uuid action scheduled_timestamp async_job_id",
    "cloud.kubernetes_supported_version": (
        "id uuid name semantic_version iso_id zone_id state min_cpu min_ram_size created removed"
    ),
    "cloud.kubernetes_cluster": (
        "id uuid name description zone_id kubernetes_version_id service_offering_id template_id network_id node_count "
        "account_id domain_id state key_pair cores memory endpoint created removed"
    ),
    "cloud.vmware_data_center": "id uuid name guid vcenter_host username password",
    "cloud.vmware_data_center_zone_map": "id zone_id vmware_data_center_id",
    "cloud_usage.usage_job": "id host pid job_type scheduled start_millis end_millis exec_time start_date end_date success heartbeat",
    "cloud_usage.usage_vm_instance": (
        "usage_type zone_id account_id vm_instance_id vm_name cpu_speed cpu_cores memory service_offering_id "
        "template_id hypervisor_type start_date end_date"
    ),
    "cloud_usage.cloud_usage": (
        "id zone_id account_id domain_id description usage_display usage_type raw_usage vm_instance_id vm_name "
        "offering_id template_id usage_id type size network_id start_date end_date"
    ),
}
"""Tables that are always empty, as nothing that this simulator does fills them: their columns by ``schema.name``."""


def empty_table(full_name: str, names: str) -> Table:
    schema, name = full_name.split(".")
    return Table(name, lambda _cloud: (), columns(names), schema)


TABLES = {
    table.full_name: table for table in (*ALL, *HOST_TABLES, *(empty_table(*each) for each in NEVER_FILLED.items()))
}
"""The tables by ``schema.name``."""
SCHEMAS = tuple(dict.fromkeys(table.schema for table in ALL))
