"""Object storage: the pools, and the buckets in them; what image stores give out of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Owned
from cs_matrix_pytest.simulator.models.infra import ImageStore
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class ObjectStore(Resource):
    entities: ClassVar[tuple[str, ...]] = ("ObjectStoreResponse",)
    label: ClassVar[str] = "object store"
    resource_type: ClassVar[str] = "ObjectStore"

    name: str
    url: str
    provider: str
    total: int = 0
    """Bytes; 0: nobody counts."""
    allocated: int = 0
    """Bytes that the quotas of its buckets add up to."""


@dataclass(eq=False, kw_only=True, repr=False)
class Bucket(Owned):
    entities: ClassVar[tuple[str, ...]] = ("BucketResponse",)
    label: ClassVar[str] = "bucket"

    name: str
    pool: ObjectStore
    quota: int
    """GiB."""
    state: str = "Allocated"
    """``Allocated``, then ``Created``."""
    versioning: bool = False
    encryption: bool = False
    object_lock: bool = False
    policy: str | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class ObjectDownload(Resource):
    """A URL that an object of an image store can be downloaded from."""

    label: ClassVar[str] = "download of an object"

    store: ImageStore
    path: str
    url: str
