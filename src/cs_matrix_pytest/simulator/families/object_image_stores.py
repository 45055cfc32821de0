"""Object storage as secondary storage of a region: Swift and S3 (AddSwiftCmd, AddImageStoreS3CMD)."""

from __future__ import annotations

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.families.image_stores import add_image_store
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.infra import ImageStore
from cs_matrix_pytest.simulator.registry import Answer, Family

family = Family("object image stores")

S3_DETAILS = (
    "accesskey",
    "secretkey",
    "endpoint",
    "bucket",
    "usehttps",
    "connectiontimeout",
    "maxerrorretry",
    "sockettimeout",
    "connectionttl",
    "usetcpkeepalive",
)
SIGNERS = ("S3SignerType", "AWSS3V4SignerType")


@family.command("addSwift", object_name="secondarystorage")
def add_swift(call: Call) -> Answer:
    details = {name: call[name] for name in ("account", "username", "key") if name in call}
    call.params |= {"provider": "Swift", "details": {"0": details}}
    return add_image_store(call)


@family.command("listSwifts")
def list_swifts(call: Call) -> Answer:
    return page(call, call.cloud.store.table(ImageStore).where(provider="Swift"))


@family.command("addImageStoreS3")
def add_s3(call: Call) -> Answer:
    """Such a store has neither name nor URL, so that there may be several."""
    other = call.cloud.store.table(ImageStore).first(lambda row: row.provider != "S3")
    if other is not None:
        raise InvalidParameterValue(
            f"You can only add new image stores from the same provider {other.provider} already added"
        )
    details = {name: str(call[name]) for name in S3_DETAILS if name in call}
    if call.get("s3signer") in SIGNERS:
        details["s3signer"] = call["s3signer"]
    return call.cloud.store.add(
        ImageStore(
            name="",
            zone=None,
            url="",
            protocol="https" if call.flag("usehttps") else "http",
            provider="S3",
            scope="REGION",
            details=details,
        )
    )
