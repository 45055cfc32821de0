"""Protocol numbers and ICMP types (ListNetworkProtocolsCmd)."""

from __future__ import annotations

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError
from cs_matrix_pytest.simulator.metadata import load_network_protocols
from cs_matrix_pytest.simulator.registry import Answer, Family

family = Family("network protocols")


@family.command("listNetworkProtocols")
def list_network_protocols(call: Call) -> Answer:
    option, protocols = call["option"], load_network_protocols()
    if option.lower() == "protocolnumber":
        rows = [
            {"index": index, "name": name, "description": description}
            for index, name, description in protocols["numbers"]
        ]
    elif option.lower() == "icmptype":
        rows = [
            {"index": index, "description": description, **({"details": codes} if codes else {})}
            for index, description, codes in protocols["icmp_types"]
        ]
    else:
        raise InternalError(
            f"Option {option} is not supported. Supported values are [ProtocolNumber, IcmpType]", cs_code=9999
        )
    return {"count": len(rows), "networkprotocol": rows}
