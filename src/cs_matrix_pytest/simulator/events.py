"""Events as CloudStack publishes them around its commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.errors import InternalError
from cs_matrix_pytest.simulator.models.iam import Account, Owned, User
from cs_matrix_pytest.simulator.models.jobs import FAILED, Event, Job
from cs_matrix_pytest.simulator.parameters import NO_ID
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.call import Call
    from cs_matrix_pytest.simulator.cloud import Cloud

SYNC_EVENTS = {
    "createAccount": ("ACCOUNT.CREATE", "creating Account"),
    "updateAccount": ("ACCOUNT.UPDATE", "updating Account"),
    "createUser": ("USER.CREATE", "creating User"),
    "updateUser": ("USER.UPDATE", "updating User"),
    "deleteUser": ("USER.DELETE", "deleting User"),
    "enableUser": ("USER.ENABLE", "enabling User"),
    "lockUser": ("USER.LOCK", "locking User"),
    "moveUser": ("USER.MOVE", "moving User to a new account"),
    "enableAccount": ("ACCOUNT.ENABLE", "enabling account"),
    "moveDomain": ("DOMAIN.MOVE", "moving Domain"),
    "createDomain": ("DOMAIN.CREATE", "creating Domain"),
    "updateDomain": ("DOMAIN.UPDATE", "updating Domain"),
    "createServiceOffering": ("SERVICE.OFFERING.CREATE", "creating service offering"),
    "updateServiceOffering": ("SERVICE.OFFERING.EDIT", "updating service offering"),
    "deleteServiceOffering": ("SERVICE.OFFERING.DELETE", "deleting service offering"),
    "createDiskOffering": ("DISK.OFFERING.CREATE", "creating disk offering"),
    "updateDiskOffering": ("DISK.OFFERING.EDIT", "updating disk offering"),
    "deleteDiskOffering": ("DISK.OFFERING.DELETE", "deleting disk offering"),
    "createNetworkOffering": ("NETWORK.OFFERING.CREATE", "creating network offering"),
    "updateNetworkOffering": ("NETWORK.OFFERING.EDIT", "updating network offering"),
    "deleteNetworkOffering": ("NETWORK.OFFERING.DELETE", "deleting network offering"),
    "createNetwork": ("NETWORK.CREATE", "creating network"),
    "registerTemplate": ("TEMPLATE.CREATE", "creating Template"),
    "registerVnfTemplate": ("TEMPLATE.CREATE", "creating Template"),
    "updateTemplate": ("TEMPLATE.UPDATE", "updating Template"),
    "updateVnfTemplate": ("TEMPLATE.UPDATE", "updating Template"),
    "registerIso": ("ISO.CREATE", "creating ISO"),
    "updateIso": ("ISO.UPDATE", "updating ISO"),
    "createSSHKeyPair": ("REGISTER.SSH.KEYPAIR", "creating SSH keypair"),
    "registerSSHKeyPair": ("REGISTER.SSH.KEYPAIR", "Registering SSH keypair"),
    "registerUserData": ("REGISTER.USER.DATA", "Registering userdata"),
    "createSecurityGroup": ("SG.CREATE", "creating security group"),
    "deleteSecurityGroup": ("SG.DELETE", "deleting security group"),
    "createZone": ("ZONE.CREATE", "creating zone"),
    "updateZone": ("ZONE.EDIT", "editing zone"),
    "deleteZone": ("ZONE.DELETE", "deleting zone"),
    "createPod": ("POD.CREATE", "creating pod"),
    "updatePod": ("POD.EDIT", "updating pod"),
    "deletePod": ("POD.DELETE", "deleting pod"),
    "createVlanIpRange": ("VLAN.IP.RANGE.CREATE", "creating vlan IP range"),
    "deleteVlanIpRange": ("VLAN.IP.RANGE.DELETE", "deleting vlan IP range"),
    "createSnapshotPolicy": ("SNAPSHOTPOLICY.CREATE", "creating snapshot policy"),
    "deleteSnapshotPolicies": ("SNAPSHOTPOLICY.DELETE", "deleting snapshot policy"),
    "deleteVolume": ("VOLUME.DELETE", "deleting volume"),
    "updateConfiguration": ("CONFIGURATION.VALUE.EDIT", "updating configuration"),
    "updateResourceLimit": ("RESOURCE.LIMIT.UPDATE", "updating resource limit"),
    "createRole": ("ROLE.CREATE", "creating Role"),
    "updateRole": ("ROLE.UPDATE", "updating Role"),
    "deleteRole": ("ROLE.DELETE", "deleting Role"),
    "importRole": ("ROLE.IMPORT", "importing Role"),
    "enableRole": ("ROLE.ENABLE", "enabling Role"),
    "disableRole": ("ROLE.DISABLE", "disabling Role"),
    "createRolePermission": ("ROLE.PERMISSION.CREATE", "creating Role Permission"),
    "updateRolePermission": ("ROLE.PERMISSION.UPDATE", "updating Role Permission order"),
    "deleteRolePermission": ("ROLE.PERMISSION.DELETE", "deleting Role Permission"),
    "createProjectRole": ("PROJECT.ROLE.CREATE", "creating Project Role"),
    "updateProjectRole": ("PROJECT.ROLE.UPDATE", "updating Project Role"),
    "deleteProjectRole": ("PROJECT.ROLE.DELETE", "deleting Project Role"),
    "createProjectRolePermission": ("PROJECT.ROLE.PERMISSION.CREATE", "Creating Project Role Permission"),
    "updateProjectRolePermission": ("PROJECT.ROLE.PERMISSION.UPDATE", "updating Project Role Permission order"),
    "deleteProjectRolePermission": ("PROJECT.ROLE.PERMISSION.DELETE", "deleting Project Role Permission"),
    "cloneServiceOffering": ("SERVICE.OFFERING.CLONE", "cloning service offering"),
    "cloneDiskOffering": ("DISK.OFFERING.CLONE", "cloning disk offering"),
    "cloneNetworkOffering": ("NETWORK.OFFERING.CLONE", "cloning network offering"),
    "uploadResourceIcon": ("UPLOAD.RESOURCE.ICON", "uploading resource icon"),
    "deleteResourceIcon": ("DELETE.RESOURCE.ICON", "deleting resource icon"),
    "createGuiTheme": ("GUI.THEME.CREATE", "Creating GUI theme"),
    "updateGuiTheme": ("GUI.THEME.UPDATE", "Updating GUI theme"),
    "removeGuiTheme": ("GUI.THEME.REMOVE", "Removing GUI theme"),
    "createASNRange": ("AS.RANGE.CREATE", "AS Range creation"),
    "deleteASNRange": ("AS.RANGE.DELETE", "Deleting AS Range"),
    "releaseASNumber": ("AS.NUMBER.RELEASE", "Releasing AS Number"),
    "registerCniConfiguration": ("REGISTER.CNI.CONFIG", "registering CNI configuration"),
    "deleteCniConfiguration": ("DELETE.CNI.CONFIG", "CNI Configuration deletion"),
    "addBackupRepository": ("BACKUP.REPOSITORY.ADD", "add backup repository"),
    "updateBackupRepository": ("BACKUP.REPOSITORY.UPDATE", "update backup repository"),
    "addAnnotation": ("ANNOTATION.CREATE", "creating an annotation on an entity"),
    "removeAnnotation": ("ANNOTATION.REMOVE", "removing an annotation on an entity"),
    "createKMSKey": ("KMS.KEY.CREATE", "creating user KMS key"),
    "updateKMSKey": ("KMS.KEY.UPDATE", "updating KMS Key"),
    "createHSMProfile": ("HSM.PROFILE.CREATE", "Adding HSM profile"),
    "updateHSMProfile": ("HSM.PROFILE.UPDATE", "Updating HSM profile"),
    "deleteHSMProfile": ("HSM.PROFILE.DELETE", "Deleting HSM profile"),
    "addObjectStoragePool": ("OBJECT.STORE.CREATE", "creating object storage"),
    "updateObjectStoragePool": ("OBJECT.STORE.UPDATE", "update object storage"),
    "deleteObjectStoragePool": ("OBJECT.STORE.DELETE", "deleting object storage"),
    "updateBucket": ("BUCKET.UPDATE", "updating bucket"),
    "deleteBucket": ("BUCKET.DELETE", "deleting bucket"),
    "updateSharedFileSystem": ("SHAREDFS.UPDATE", "Updating Shared FileSystem"),
    "recoverSharedFileSystem": ("SHAREDFS.RECOVER", "Recover Shared FileSystem"),
    "addKubernetesSupportedVersion": ("KUBERNETES.VERSION.ADD", "Adding Kubernetes supported version"),
    "updateKubernetesSupportedVersion": ("KUBERNETES.VERSION.UPDATE", "Updating Kubernetes supported version"),
    "updateKubernetesClusterAffinityGroups": (
        "KUBERNETES.CLUSTER.AFFINITY.UPDATE",
        "updating Kubernetes cluster affinity groups",
    ),
    "prepareForMaintenance": ("MS.MAINTENANCE.PREPARE", "preparing for maintenance"),
    "cancelMaintenance": ("MS.MAINTENANCE.CANCEL", "cancelling maintenance"),
    "prepareForShutdown": ("MS.SHUTDOWN.PREPARE", "preparing for shutdown"),
    "cancelShutdown": ("MS.SHUTDOWN.CANCEL", "cancelling shutdown"),
    "triggerShutdown": ("MS.SHUTDOWN", "triggering shutdown"),
    "removeManagementServer": ("MANAGEMENT.SERVER.REMOVE", "removing Management Server"),
}
"""Event type and description by synchronous command (ActionEvent annotations); async ones have theirs in the metadata."""

PLUGIN_EVENTS = {
    "deleteKubernetesSupportedVersion": "KUBERNETES.VERSION.DELETE",
    "createKubernetesCluster": "KUBERNETES.CLUSTER.CREATE",
    "startKubernetesCluster": "KUBERNETES.CLUSTER.START",
    "stopKubernetesCluster": "KUBERNETES.CLUSTER.STOP",
    "deleteKubernetesCluster": "KUBERNETES.CLUSTER.DELETE",
    "scaleKubernetesCluster": "KUBERNETES.CLUSTER.SCALE",
    "upgradeKubernetesCluster": "KUBERNETES.CLUSTER.UPGRADE",
    "addNodesToKubernetesCluster": "KUBERNETES.CLUSTER.NODES.ADD",
    "removeNodesFromKubernetesCluster": "KUBERNETES.CLUSTER.NODES.REMOVE",
    "rotateKMSKey": "KMS.KEY.ROTATE",
    "migrateVolumesToKMS": "VOLUME.MIGRATE.TO.KMS",
}
"""Event types by asynchronous command, where the metadata have none: a plugin defines them, or a class of their own."""


ABOUT = {
    command: parameter
    for parameter, commands in {
        "id": """
            addNodesToKubernetesCluster attachVolume cancelHostAsDegraded cancelHostMaintenance
            cancelStorageMaintenance changeStoragePoolScope checkVolume copyIso copySnapshot copyTemplate
            declareHostAsDegraded deleteAccount deleteAffinityGroup deleteDomain deleteIso deleteKMSKey
            deleteKubernetesCluster deleteNetwork deleteNetworkACL deleteNetworkACLList deletePhysicalNetwork
            deleteSnapshot deleteTemplate deleteVPC deleteVPCOffering deleteVnfTemplate deleteVpnCustomerGateway
            destroyRouter destroySystemVm destroyVirtualMachine destroyVolume detachVolume disableAccount
            enableStorageMaintenance executeClusterDrsPlan expungeVirtualMachine extractIso extractSnapshot
            extractTemplate extractVolume prepareHostForMaintenance rebootRouter rebootSystemVm
            rebootVirtualMachine reconnectHost releaseHostReservation removeNodesFromKubernetesCluster
            resetPasswordForVirtualMachine resetSSHKeyForVirtualMachine resizeVolume restartNetwork restartVPC
            revertSnapshot revokeSecurityGroupEgress revokeSecurityGroupIngress rotateKMSKey scaleVirtualMachine
            startInternalLoadBalancerVM startRouter startSystemVm startVirtualMachine stopInternalLoadBalancerVM
            stopNetScalerVpx stopRouter stopSystemVm stopVirtualMachine unmanageVirtualMachine unmanageVolume
            updateIpAddress updateNetwork updateNetworkACLItem updateNetworkACLList updateVPC updateVPCOffering
            updateVolume updateVpnCustomerGateway
        """,
        "virtualmachineid": """
            addNicToVirtualMachine assignVirtualMachineToBackupOffering attachIso createBackup detachIso
            migrateVirtualMachine migrateVirtualMachineWithVolume removeVirtualMachineFromBackupOffering
            restoreVolumeFromBackupAndAttachToVM
        """,
        "hostid": """
            changeOutOfBandManagementPassword disableOutOfBandManagementForHost enableOutOfBandManagementForHost
            issueOutOfBandManagementPowerAction
        """,
        "projectid": """
            addAccountToProject addUserToProject deleteAccountFromProject deleteUserFromProject
        """,
        "vmsnapshotid": """
            deleteVMSnapshot revertToVMSnapshot
        """,
        "clusterid": """
            disableOutOfBandManagementForCluster enableOutOfBandManagementForCluster
        """,
        "zoneid": """
            disableOutOfBandManagementForZone enableOutOfBandManagementForZone
        """,
        "srcpool": """
            migrateResourceToAnotherSecondaryStorage migrateSecondaryStorageData
        """,
        "volumeid": """
            migrateVolume
        """,
        "publicipid": """
            createRemoteAccessVpn deleteRemoteAccessVpn
        """,
        "networkid": """
            createIpv6FirewallRule createRoutingFirewallRule
        """,
        "kmskeyid": """
            migrateVolumesToKMS
        """,
    }.items()
    for command in commands.split()
}
"""The parameter that names what an async command is about, by command (getApiResourceId): its events keep the number."""


def in_words(command: str) -> str:
    """A command's name as a description: ``deployVirtualMachine`` → ``deploy virtual machine``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", command).lower()


class Events:
    """Records events in the cloud's store."""

    def __init__(self, cloud: Cloud) -> None:
        from cs_matrix_pytest.simulator.families.usage import UsageMeter

        self._cloud = cloud
        self.usage = UsageMeter(cloud)

    def record(
        self,
        call: Call,
        type: str,
        description: str,
        *,
        resource: Resource | None = None,
        account: Account | None = None,
        level: str = "INFO",
        state: str = "Completed",
        parent: Event | None = None,
    ) -> Event:
        """Keep one event of the caller about a resource; it belongs to the resource's account."""
        owner = account or (resource.account if isinstance(resource, Owned) else call.account)
        event = self._cloud.store.add(
            Event(
                account=owner,
                user=call.caller.user,
                type=type,
                description=description,
                resource=resource,
                resource_kind=call.command.instance_type,
                level=level,
                state=state,
                parent=parent,
            )
        )
        for listener in self._cloud.registry.event_listeners:
            listener(self._cloud, event)
        return event

    def of_system(self, type: str, description: str, resource: Resource) -> Event:
        """Keep one event that no caller brought about: the server's own tasks do so."""
        return self._cloud.store.add(
            Event(
                account=self._cloud.system_account,
                user=self._cloud.system_user,
                type=type,
                description=description,
                resource=resource,
                resource_kind=resource.resource_type,
            )
        )

    def of_user(self, user: User, type: str, description: str) -> Event:
        """Keep one event of a user that is no command's: a login, a logout."""
        return self._cloud.store.add(
            Event(
                account=user.account,
                user=user,
                type=type,
                description=description,
                resource=user,
                resource_kind="User",
            )
        )

    def started(self, call: Call, resource: Resource | None) -> None:
        """The events of an async command that was queued: its resource created, the job scheduled and started.

        Raises InternalError where they cannot be kept, as their resource's number would be -1.
        """
        if call.get(ABOUT.get(call.command.name, "")) == NO_ID:
            raise InternalError(
                "Unable to persist on DB, due to: Data truncation: Out of range value for column 'resource_id' at row 1"
            )
        kind = call.command.event or PLUGIN_EVENTS.get(call.command.name)
        what = in_words(call.command.name)
        if kind is None:
            return
        states = [("Scheduled", what), ("Started", what)]
        if call.command.creates:
            states.insert(0, ("Created", f"Successfully created entity for {what}"))
        for state, description in states:
            event = self.record(call, kind, description, resource=resource, state=state, parent=call.start_event)
            call.start_event = call.start_event or event

    def finished(self, call: Call, job: Job | None = None) -> None:
        """The events of a command that ran, of its usage too: an error where its job failed."""
        self.usage.after(call, job)
        kind = call.command.event or PLUGIN_EVENTS.get(call.command.name)
        what = in_words(call.command.name)
        if job is None:
            kind, what = SYNC_EVENTS.get(call.command.name, (None, ""))
        if kind is None:
            return
        if job is None:
            self.record(call, kind, what, state="Started")
        failed = job is not None and job.status == FAILED
        self.record(
            call,
            kind,
            f"{'Error while' if failed else 'Successfully completed'} {what}",
            resource=job.instance if job else None,
            level="ERROR" if failed else "INFO",
            parent=call.start_event,
        )
