"""The certificate that console proxies and secondary storage VMs show (ManagementServerImpl.uploadCertificate)."""

from __future__ import annotations

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.x509 import fits_key, read_certificate

family = Family("server_certificates")

INVALID = "Failed to pass certificate validation check with error: {}"
DONE = (
    "Certificate has been successfully updated, if its the server certificate we would reboot all running console proxy "
    "VMs and secondary storage VMs to propagate the new certificate, please give a few minutes for console access and "
    "storage services service to be up and working again"
)


@family.command("uploadCustomCertificate")
def upload(call: Call) -> Answer:
    certificate, key, domain = call["certificate"], call.get("privatekey"), call["domainsuffix"]
    if key is not None and "name" in call:
        raise InvalidParameterValue("Can't change the alias for private key certification")
    if key is None and "name" not in call:
        raise InvalidParameterValue("alias can't be empty, if it's a certification chain")
    if key is None and "id" not in call:
        raise InvalidParameterValue("index can't be empty, if it's a certification chain")
    if key is None:
        try:
            read_certificate(certificate)
        except InternalError as error:
            problem = f"Certificate validation failed due to exception: {error.text}"
            raise InvalidParameterValue(INVALID.format(problem)) from None
    elif not key or not domain:
        problem = f"Invalid parameter found in (certificate, key, domainSuffix) tuple for domain: {domain}"
        raise InvalidParameterValue(INVALID.format(problem))
    elif not fits_key(certificate, key):
        problem = f"Certificate validation failed due to exception for domain: {domain}"
        raise InvalidParameterValue(INVALID.format(problem))
    return {"customcertificate": {"message": DONE}}
