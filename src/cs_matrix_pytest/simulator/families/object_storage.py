"""Object storage pools and buckets (StorageManagerImpl, BucketApiServiceImpl, SimulatorObjectStoreDriverImpl)."""

from __future__ import annotations

import re
from collections.abc import Generator
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cs_matrix_pytest.simulator.access import check_access, check_owner, named_account
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.limits import GIB
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.object_storage import Bucket, ObjectStore
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import owner_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("object storage")

SIMULATOR = "Simulator"
UNREACHABLE = {
    "MinIO": (
        "MinIO credentials are missing",
        "Error while initializing MinIO Object Store. Invalid credentials or URL",
    ),
    "Ceph": (
        "Ceph RGW Admin credentials are missing",
        "Error while initializing Ceph RGW Object Store. Invalid credentials or URL",
    ),
    "Cloudian HyperStore": (
        "Cloudian HyperStore credentials are missing",
        "Required Cloudian HyperStore configuration parameters are missing/empty.",
    ),
}
"""Providers that need a server of their own, which is not there: what they say without credentials, and with them."""
KEYS = {"accesskey": "accesskey", "usersecretkey": "secretkey"}
"""The keys of every bucket of the provider Simulator."""


@family.view(ObjectStore)
def store_view(store: ObjectStore, call: Call) -> dict[str, Any]:
    shown = {"id": store.id, "name": store.name, "providername": store.provider}
    if not call.command.lists:
        return shown
    return shown | {
        "url": store.url,
        "storagetotal": store.total or None,
        "storageused": 0,
        "storageallocated": store.allocated,
        "hasannotations": has_annotations(store, call) or None,
    }


def check_url(url: str) -> None:
    """Raise ParameterError for a URL that nothing can be at (UriUtils.validateUrl). No name is looked up."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise ParameterError(f"Invalid URL: {url}") from None
    if parts.scheme.lower() not in ("http", "https", "file"):
        raise ParameterError(f"Unsupported scheme for url: {url}")
    try:
        address = ip_address(host)
    except ValueError:
        if host in ("", "localhost"):
            raise ParameterError("Illegal host specified in URL.") from None
        return
    if address.is_unspecified or address.is_link_local or address.is_loopback or address.is_multicast:
        raise ParameterError("Illegal host specified in URL.")
    if address.version == 6:
        raise ParameterError(f"IPv6 addresses are not supported ({address.exploded}).")


@family.command("addObjectStoragePool")
def add_store(call: Call) -> Answer:
    try:
        return _discovered(call)
    except ApiError as error:
        raise ApiError(error.text) from error


def _discovered(call: Call) -> ObjectStore:
    name, url, table = call["name"], call["url"], call.cloud.store.table(ObjectStore)
    provider = next((each for each in (SIMULATOR, *UNREACHABLE) if each.lower() == call["provider"].lower()), None)
    if provider is None:
        raise InvalidParameterValue(f"can't find object store provider: {call['provider']}")
    if table.first(name=name):
        raise InvalidParameterValue(f"The object store with name {name} already exists, try creating with another name")
    check_url(url)
    if table.first(url=url):
        raise InvalidParameterValue(f"The object store with url {url} already exists")
    if provider in UNREACHABLE:
        without, wrong = UNREACHABLE[provider]
        raise InternalError(f"Failed to add object store: {wrong if call.map('details') else without}")
    return call.cloud.store.add(
        ObjectStore(name=name, url=url, provider=provider, total=call.get("size", 0) * GIB, details=call.map("details"))
    )


family.listing(
    "listObjectStoragePools",
    ObjectStore,
    keyword=("name", "provider"),
    filters={"provider": lambda store, provider, _call: store.provider.lower() == provider.lower()},
)


def store_of(call: Call, name: str, unknown: type[ApiError], text: str) -> ObjectStore:
    store = call.get(name)
    if not isinstance(store, ObjectStore) or store not in call.cloud.store:
        raise unknown(text.format(getattr(store, "number", call.raw.get(name))))
    return store


@family.command("updateObjectStoragePool")
def update_store(call: Call) -> Answer:
    store = store_of(call, "id", ParameterError, "Unable to find object store with ID: {}")
    if "url" in call:
        try:
            check_url(call["url"])
        except ApiError as error:
            raise InvalidParameterValue(f"{call['url']} is not a valid URL") from error
        store.url = call["url"]
    store.name = call.get("name", store.name)
    if "size" in call:
        store.total = call["size"] * GIB
    return store


@family.command("deleteObjectStoragePool")
def delete_store(call: Call) -> Answer:
    store = store_of(call, "id", InvalidParameterValue, "Object store with id {} doesn't exist")
    if call.cloud.store.table(Bucket).first(pool=store):
        raise InvalidParameterValue("Cannot delete object store with buckets")
    call.cloud.store.remove(store)
    return Success()


# Buckets


@family.view(Bucket)
def bucket_view(bucket: Bucket, call: Call) -> dict[str, Any]:
    shown = {
        "id": bucket.id,
        "name": bucket.name,
        "created": when(bucket.created),
        "state": bucket.state,
        "size": 0,
        "quota": bucket.quota,
        "versioning": bucket.versioning,
        "encryption": bucket.encryption,
        "objectlocking": bucket.object_lock,
        "policy": bucket.policy,
        "objectstorageid": bucket.pool.id,
        "objectstore": bucket.pool.name,
        "provider": bucket.pool.provider,
        **owner_fields(bucket.account),
    }
    if call.command.lists:
        # The driver writes them behind the back of the command that makes a bucket.
        shown |= {"url": f"{bucket.pool.url}/{bucket.name}", **KEYS}
    return shown


def check_name(name: str) -> None:
    """Raise InvalidParameterValue for what is no name of a bucket (BucketNameUtils of Amazon's library)."""
    problem = _problem_of(name)
    if problem:
        raise InvalidParameterValue(f"Invalid Bucket Name: Bucket name {problem}")


def _problem_of(name: str) -> str | None:
    if not 3 <= len(name) <= 63:
        return "should be between 3 and 63 characters long"
    if re.fullmatch(r"(\d+\.){3}\d+", name):
        return "must not be formatted as an IP Address"
    previous = ""
    for letter in name:
        problem = _problem_at(previous, letter)
        if problem:
            return problem
        previous = letter
    return "should not end with '-' or '.'" if previous in "-." else None


def _problem_at(previous: str, letter: str) -> str | None:
    """What is wrong with a letter after another; the first one comes after none."""
    if "A" <= letter <= "Z":
        return "should not contain uppercase characters"
    if letter in " \t\r\n":
        return "should not contain white space"
    if letter == ".":
        return {
            "": "should not begin with a period",
            ".": "should not contain two adjacent periods",
            "-": "should not contain dashes next to periods",
        }.get(previous)
    if letter == "-":
        return {"": "should not begin with a '-'", ".": "should not contain dashes next to periods"}.get(previous)
    return None if re.match("[a-z0-9]", letter) else f"should not contain '{letter}'"


def check_quota(call: Call, owner: Account, gib: int) -> None:
    call.cloud.limits.check(owner, "object_storage", gib * GIB)


@family.command("createBucket")
def create_bucket(call: Call) -> Generator[Resource, None, Answer]:
    cloud, name, quota = call.cloud, call["name"], call["quota"]
    owner = named_account(call) or call.account
    check_owner(call.account, owner)
    check_name(name)
    store = store_of(call, "objectstorageid", InternalError, "Failed to create bucket")
    cloud.limits.check(owner, "bucket", 1)
    check_quota(call, owner, quota)
    bucket = cloud.store.add(
        Bucket(
            account=owner,
            name=name,
            pool=store,
            quota=quota,
            versioning=call.flag("versioning"),
            encryption=call.flag("encryption"),
            object_lock=call.flag("objectlocking"),
            policy=call.get("policy"),
        )
    )
    try:
        yield bucket
    except ApiError:
        cloud.store.remove(bucket)
        raise
    if store.total and store.allocated and quota + store.allocated // GIB > store.total // GIB:
        cloud.store.remove(bucket)
        raise ApiError(
            f"Failed to create bucket with name: {name}. Not enough space in object store to create the bucket"
        )
    bucket.state = "Created"
    store.allocated += quota * GIB
    return bucket


family.listing(
    "listBuckets",
    Bucket,
    scope=Scope.OWNER,
    keyword=("name", "state"),
    # The server takes these two and does nothing with them.
    filters={name: lambda _bucket, _value, _call: True for name in ("objectstorageid", "tags")},
)


def bucket_of(call: Call, text: str = "Unable to find bucket with ID: {}") -> Bucket:
    bucket = call.get("id")
    if not isinstance(bucket, Bucket) or bucket not in call.cloud.store:
        raise InvalidParameterValue(text.format(getattr(bucket, "number", call.raw.get("id"))))
    check_access(call.cloud, call.account, bucket, "OperateEntry")
    return bucket


@family.command("updateBucket")
def update_bucket(call: Call) -> Answer:
    try:
        bucket = bucket_of(call)
        try:
            if "quota" in call:
                check_quota(call, bucket.account, call["quota"] - bucket.quota)
                bucket.pool.allocated += (call["quota"] - bucket.quota) * GIB
                bucket.quota = call["quota"]
        except ApiError as error:
            raise InternalError(f"Error while updating bucket: {bucket.name}. {error.text}") from error
        bucket.encryption = call.flag("encryption", bucket.encryption)
        bucket.versioning = call.flag("versioning", bucket.versioning)
        bucket.policy = call.get("policy", bucket.policy)
    except ApiError as error:
        raise ApiError(f"Error while updating bucket. {error.text}") from error
    return Success()


@family.command("deleteBucket")
def delete_bucket(call: Call) -> Answer:
    bucket = bucket_of(call)
    bucket.pool.allocated -= bucket.quota * GIB
    call.cloud.store.remove(bucket)
    return Success()


@family.on_account_removal
def remove_buckets(cloud: Cloud, account: Account) -> None:
    for bucket in cloud.owned_by(Bucket, account):
        bucket.pool.allocated -= bucket.quota * GIB
        cloud.store.remove(bucket)
