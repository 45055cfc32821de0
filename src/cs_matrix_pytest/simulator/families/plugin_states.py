"""Whether plugins are enabled that this simulator has no more of: quota, the Cloudian connector."""

from __future__ import annotations

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.registry import Answer, Family

family = Family("plugin_states")


@family.command("quotaIsEnabled")
def quota_is_enabled(call: Call) -> Answer:
    return {"isenabled": {"isenabled": call.cloud.configuration.flag("quota.enable.service")}}


@family.command("cloudianIsEnabled")
def cloudian_is_enabled(call: Call) -> Answer:
    settings = call.cloud.configuration
    scheme, host = settings.text("cloudian.cmc.protocol"), settings.text("cloudian.cmc.host")
    url = f"{scheme}://{host}:{settings.text('cloudian.cmc.port')}/Cloudian/"
    return {"cloudianisenabled": {"enabled": settings.flag("cloudian.connector.enabled"), "url": url}}
