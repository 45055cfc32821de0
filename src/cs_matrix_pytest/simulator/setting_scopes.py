"""Which settings can have a value per zone, cluster, pool, domain or account, and which whole numbers are long.

Facts of the ConfigKey declarations of 4.23; a setting in none of the scopes is global only.
"""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


SCOPED: dict[str, frozenset[str]] = {
    "zone": _names(
        """
        allow.diskoffering.change.during.scale.vm allow.end.users.to.specify.vr.mtu backup.chain.size
        backup.compression.max.concurrent.operations backup.compression.minimum.free.storage
        backup.framework.enabled backup.framework.provider.plugin backup.plugin.networker.client.verbosity
        backup.plugin.networker.password backup.plugin.networker.pool
        backup.plugin.networker.request.timeout backup.plugin.networker.url backup.plugin.networker.username
        backup.plugin.networker.validate.ssl backup.validation.max.concurrent.operations
        ca.framework.cert.systemvm.allow.host.ip console.proxy.vm.userdata consoleproxy.capacity.standby
        consoleproxy.disable.rpfilter consoleproxy.launch.max consoleproxy.restart
        consoleproxy.service.offering consoleproxy.session.max consoleproxy.session.timeout
        consoleproxy.sslEnabled consoleproxy.url.domain copy.templates.from.other.secondary.storages
        denied.routes dhcp.lease.timeout disk.provisioning.type.strictness enable.dynamic.scale.vm
        expose.dns.externally guest.domain.suffix image.transfer.idle.timeout.seconds
        integration.veeam.control.instance.encrypt.volumes kboss.timeout
        kvm.ha.fence.on.storage.heartbeat.failure mac.identifier match.storage.pool.tags.with.disk.offering
        metadata.custom.cloud.name migrate.vm.across.clusters minreq.sysvmtemplate.version
        nas.backup.full.every nas.backup.incremental.enabled netris.plugin.enable
        network.router.EnableServiceMonitoring network.throttling.rate novnc.console.default
        novnc.console.show.dot nsx.plugin.enable pool.storage.allocated.capacity.disablethreshold
        pool.storage.allocated.resize.capacity.disablethreshold pool.storage.capacity.disablethreshold
        powerflex.block.sdc.unprepare powerflex.connect.on.demand powerflex.mdm.change.apply.wait
        powerflex.mdm.validate.on.connect routed.network.vpc.enabled
        router.health.checks.failures.to.recreate.vr router.health.checks.free.disk.space.threshold
        router.health.checks.max.cpu.usage.threshold router.health.checks.max.memory.usage.threshold
        router.health.checks.to.exclude router.logrotate.frequency router.template.hyperv
        router.template.kvm router.template.lxc router.template.ovm3 router.template.vmware
        router.template.xenserver secstorage.private.template.copy.max secstorage.public.template.copy.max
        secstorage.vm.userdata set.host.down.to.maintenance sharedfsvm.min.cpu.count sharedfsvm.min.ram.size
        system.vm.preferred.architecture system.vm.use.local.storage systemvm.release.control.ip.on.stop
        systemvm.userdata.enabled tungsten.plugin.enable unmanage.vm.preserve.nics use.external.dns
        use.https.to.upload virtual.router.userdata vm.configdrive.force.host.cache.use
        vm.configdrive.primarypool.enabled vm.configdrive.use.host.cache.on.unsupported.pool
        vm.metadata.manufacturer vm.metadata.product vm.network.throttling.rate
        vmware.additional.details.from.ova.enabled vmware.allowed.additional.details.from.ova
        volume.resize.allowed.beyond.allocation vr.private.interface.max.mtu vr.public.interface.max.mtu
        zone.backupStorage.capacity.notificationthreshold
        """
    ),
    "cluster": _names(
        """
        agent.max.data.migration.wait.time auto.migrate.vm.on.live.scale.insufficient.capacity
        backup.compression.coroutines backup.compression.max.concurrent.operations.per.host
        backup.compression.max.job.retries backup.compression.rate.limit backup.compression.retry.interval
        backup.compression.timeout backup.validation.max.concurrent.operations.per.host
        ca.framework.cert.automatic.renewal ca.framework.cert.expiry.alert.period
        cluster.cpu.allocated.capacity.disablethreshold cluster.cpu.allocated.capacity.notificationthreshold
        cluster.memory.allocated.capacity.disablethreshold
        cluster.memory.allocated.capacity.notificationthreshold
        cluster.storage.allocated.capacity.notificationthreshold
        cluster.storage.capacity.notificationthreshold cluster.storage.operations.exclude
        cpu.overprovisioning.factor drs.algorithm drs.automatic.enable drs.automatic.interval drs.imbalance
        drs.imbalance.condensed.skip.threshold drs.max.migrations drs.metric drs.metric.type
        drs.metric.use.ratio enable.kvm.host.auto.enable.disable expect.macaddress.from.external.provisioner
        indirect.agent.lb.check.interval kvm.cpu.dynamic.scaling.capacity
        kvm.ha.activity.check.failure.ratio kvm.ha.activity.check.interval
        kvm.ha.activity.check.max.attempts kvm.ha.activity.check.timeout kvm.ha.degraded.max.period
        kvm.ha.fence.timeout kvm.ha.health.check.timeout kvm.ha.recover.failure.threshold
        kvm.ha.recover.timeout kvm.ha.recover.wait.period kvm.host.discovery.ssh.port
        kvm.incremental.snapshot kvm.memory.dynamic.scaling.capacity
        max.number.managed.clustered.file.systems mem.overprovisioning.factor mount.disabled.storage.pool
        outofbandmanagement.action.timeout sp.cluster.endpoint sp.cluster.id stats.timeout vm.iso.max.count
        vm.min.cpu.speed.equals.cpu.speed.divided.by.cpu.overprovisioning.factor
        vm.min.memory.equals.memory.divided.by.mem.overprovisioning.factor xen.vm.vcpu.max
        """
    ),
    "storagepool": _names(
        """
        clvm.secure.zero.fill kvm.storage.pool.io.policy pool.storage.allocated.capacity.disablethreshold
        pool.storage.allocated.resize.capacity.disablethreshold pool.storage.capacity.disablethreshold
        sp.alternative.endpoint sp.cluster.location sp.enable.alternative.endpoint
        storage.overprovisioning.factor storage.pool.client.max.connections storage.pool.client.timeout
        storage.pool.connected.clients.limit storage.pool.disk.wait storpool.delete.after.interval
        use.storage.replication vmware.create.full.clone volume.check.and.repair.leaks.before.use
        volume.resize.allowed.beyond.allocation xenserver.create.full.clone
        """
    ),
    "domain": _names(
        """
        allow.user.view.all.domain.accounts allow.user.view.all.zones api.key.access
        destroy.root.volume.on.vm.destruction enable.user.2fa gpu.detach.on.stop ldap.basedn
        ldap.bind.password ldap.bind.principal ldap.email.attribute ldap.firstname.attribute
        ldap.group.object ldap.group.user.uniquemember ldap.lastname.attribute ldap.nested.groups.enable
        ldap.provider ldap.read.timeout ldap.request.page.size ldap.search.group.principle ldap.truststore
        ldap.truststore.password ldap.user.memberof.attribute ldap.user.object ldap.username.attribute
        mandate.user.2fa metadata.allow.expose.domain oauth2.enabled
        password.policy.allowPasswordToContainUsername password.policy.minimum.digits
        password.policy.minimum.length password.policy.minimum.lowercase.letters
        password.policy.minimum.special.characters password.policy.minimum.uppercase.letters
        password.policy.regex public.ip.address.quarantine.duration quota.email.footer quota.email.header
        share.public.templates.with.other.domains user.2fa.default.provider user.2fa.issuer
        user.allow.multiple.accounts vpn.customer.gateway.excluded.dh.group
        vpn.customer.gateway.excluded.encryption.algorithms vpn.customer.gateway.excluded.hashing.algorithms
        vpn.customer.gateway.excluded.ike.versions vpn.customer.gateway.obsolete.dh.group
        vpn.customer.gateway.obsolete.encryption.algorithms vpn.customer.gateway.obsolete.hashing.algorithms
        vpn.customer.gateway.obsolete.ike.versions webhook.delivery.timeout webhook.delivery.tries
        """
    ),
    "account": _names(
        """
        account.allow.expose.host.hostname allow.additional.vm.configuration.list.kvm
        allow.domain.admins.to.create.tagged.offerings allow.duplicate.networkname
        allow.empty.start.end.ipaddress allow.public.user.templates allow.user.expunge.recover.vm
        allow.user.expunge.recover.volume allow.user.force.stop.vm allow.user.view.destroyed.vm
        api.allowed.source.cidr.list backup.compression.task.enabled backup.validation.boot.default.timeout
        backup.validation.end.chain.on.fail backup.validation.interval backup.validation.max.job.retries
        backup.validation.retry.interval backup.validation.screenshot.default.wait
        backup.validation.script.default.timeout backup.validation.task.enabled
        cloud.kubernetes.cluster.max.size enable.additional.vm.configuration
        enforce.resource.limit.on.backup.validation.vm preferred.storage.pool quota.account.enabled
        quota.enable.emails remote.access.vpn.client.iprange
        routed.ipv4.network.cidr.auto.allocation.enabled routed.ipv4.vpc.max.cidr.size
        routed.ipv4.vpc.min.cidr.size routed.network.ipv4.max.cidr.size routed.network.ipv4.min.cidr.size
        router.service.offering use.system.bgp.peers use.system.guest.vlans use.system.public.ips
        vmsnapshot.expire.interval vmsnapshot.max vrouter.redundant.tiers.placement
        """
    ),
    "imagestore": _names(
        """
        secstorage.nfs.version
        """
    ),
    "managementserver": _names(
        """
        alert.smtp.useAuth integration.veeam.control.bind.address project.smtp.useAuth
        """
    ),
}
"""Names of settings by scope, as answers name scopes."""

LONGS = _names(
    """
    backup.framework.sync.interval ca.framework.background.task.delay cloud.kubernetes.cluster.add.node.timeout
    cloud.kubernetes.cluster.remove.node.timeout cloud.kubernetes.cluster.scale.timeout
    cloud.kubernetes.cluster.start.timeout cloud.kubernetes.cluster.upgrade.timeout
    cloud.kubernetes.control.node.install.attempt.wait.duration
    cloud.kubernetes.control.node.install.reattempt.count
    cloud.kubernetes.worker.node.install.attempt.wait.duration
    cloud.kubernetes.worker.node.install.reattempt.count concurrent.migrations.per.target.datastore
    concurrent.snapshots.threshold.perhost custom.diskoffering.size.max custom.diskoffering.size.min
    default.page.size default.ui.page.size delete.query.batch.size diagnostics.data.max.file.age
    diagnostics.data.retrieval.timeout direct.download.certificate.background.task.interval
    globodns.domain.templateid guest.os.rule.execution.timeout host.tag.rule.execution.timeout
    indirect.agent.lb.check.interval job.cancel.threshold.minutes job.expire.minutes kms.rewrap.interval.ms
    kvm.ha.activity.check.interval kvm.ha.activity.check.max.attempts kvm.ha.activity.check.timeout
    kvm.ha.degraded.max.period kvm.ha.fence.timeout kvm.ha.health.check.timeout kvm.ha.recover.failure.threshold
    kvm.ha.recover.timeout kvm.ha.recover.wait.period ldap.read.timeout max.account.backup.storage
    max.account.backups max.account.buckets max.account.cpus max.account.gpus max.account.memory
    max.account.networks max.account.object.storage max.account.primary.storage max.account.projects
    max.account.public.ips max.account.secondary.storage max.account.snapshots max.account.templates
    max.account.user.vms max.account.volumes max.account.vpcs max.domain.backup.storage max.domain.backups
    max.domain.buckets max.domain.cpus max.domain.gpus max.domain.memory max.domain.networks
    max.domain.object.storage max.domain.primary.storage max.domain.projects max.domain.public.ips
    max.domain.secondary.storage max.domain.snapshots max.domain.templates max.domain.user.vms
    max.domain.volumes max.domain.vpcs max.project.backup.storage max.project.backups max.project.buckets
    max.project.cpus max.project.gpus max.project.memory max.project.networks max.project.object.storage
    max.project.primary.storage max.project.public.ips max.project.secondary.storage max.project.snapshots
    max.project.templates max.project.user.vms max.project.volumes max.project.vpcs max.template.iso.size
    ncc.command.timeout network.loadbalancer.haproxy.idle.timeout outofbandmanagement.action.timeout
    project.invite.timeout quota.activationrule.timeout resource.reservation.cleanup.delay
    resourcecount.check.interval secstorage.capacityscan.interval security.singlesignon.tolerance.millis
    storage.max.volume.size systemvm.root.disk.size time.between.cleanup time.between.failures time.to.sleep
    user.password.reset.ttl vm.disk.bytes.maximum.read.length vm.disk.bytes.maximum.write.length
    vm.disk.iops.maximum.read.length vm.disk.iops.maximum.write.length vm.job.check.interval vm.job.timeout
    vm.op.cancel.interval vm.op.cleanup.interval vm.op.cleanup.wait vmware.hung.wokervm.timeout
    vmware.vcenter.session.timeout vpn.customer.gateway.obsolete.check.interval wait.detach.device
    """
)
"""Settings whose number is a java.lang.Long; the others' is an Integer."""

DOUBLES = _names(
    """
    agent.load.threshold backup.compression.minimum.free.storage
    cluster.cpu.allocated.capacity.notificationthreshold cluster.memory.allocated.capacity.notificationthreshold
    cluster.storage.allocated.capacity.notificationthreshold cluster.storage.capacity.notificationthreshold
    diagnostics.data.disable.threshold image.store.imbalance.threshold kvm.ha.activity.check.failure.ratio
    pool.storage.allocated.capacity.disablethreshold pool.storage.allocated.resize.capacity.disablethreshold
    pool.storage.capacity.disablethreshold router.health.checks.free.disk.space.threshold
    router.health.checks.max.cpu.usage.threshold router.health.checks.max.memory.usage.threshold
    storage.overprovisioning.factor zone.virtualnetwork.ipv6subnet.capacity.notificationthreshold
    """
)
"""Settings whose decimal is a java.lang.Double; the others' is a Float."""
