"""What changes in one place of Marvin 4.4.0: where Python 3 means something else, and where today's server does.

Each patch names why it is there and must match exactly ``count`` times: a source that is not the published 4.4.0 is an
error, never a guess. Patterns are regular expressions (MULTILINE and DOTALL) over the source after `rules`.
"""

from __future__ import annotations

from dataclasses import dataclass

_LEVELLING = "cs_matrix_pytest.marvin_bridge.port44.levelling"


@dataclass(frozen=True)
class Patch:
    """A substitution in one module, made ``count`` times or an error."""

    module: str
    reason: str
    pattern: str
    replacement: str
    count: int = 1


PATCHES = (
    # The connection: signing, parameters, jobs
    Patch(
        "cloudstackConnection",
        "urllib has its quoting elsewhere",
        r"^import urllib$",
        f"import urllib.parse; from {_LEVELLING} import is_only_a_job",
    ),
    Patch("cloudstackConnection", "zip gives no list to sort", r"params = zip\((.+?)\)$", r"params = list(zip(\1))"),
    Patch(
        "cloudstackConnection",
        "quote as the server's URLEncoder does: `*` bare, `~` as %7E",
        r"urllib\.quote_plus\(str\(r\[1\]\)\)",
        r'urllib.parse.quote_plus(str(r[1]), safe="*").replace("~", "%7E")',
    ),
    Patch("cloudstackConnection", "encodestring is gone", r"base64\.encodestring\(", "base64.b64encode("),
    Patch(
        "cloudstackConnection",
        "HMAC takes bytes",
        r"self\.securityKey, hashStr, hashlib\.sha1\)\.digest\(\)\)\.strip\(\)",
        r'self.securityKey.encode("utf-8"), hashStr.encode("utf-8"), hashlib.sha1).digest()).decode("ascii")',
    ),
    Patch(
        "cloudstackConnection",
        "a signature in the log lets its reader repeat the request",
        r'self\.logger\.debug\("Computed Signature by Marvin: %s" % signature\)',
        "pass",
    ),
    Patch(
        "cloudstackConnection",
        "the name of another, unbound exception",
        r'(except Exception as e:\s+self\.logger\.debug\("Error returned by server %s" % )r\)',
        r"\1e)",
    ),
    Patch(
        "cloudstackConnection",
        "a dictionary may not shrink while it is walked",
        r"in requests\.items\(\):",
        "in list(requests.items()):",
    ),
    Patch(
        "cloudstackConnection",
        "registerUserKeys answers with a job since its API became async",
        r'if isAsync == "false":(?=\s+return response)',
        'if isAsync == "false" and not is_only_a_job(response):',
    ),
    # JSON into objects
    Patch("jsonHelper", "long and basestring are gone", r"int, long, float, basestring\)", "int, float, str)"),
    Patch("jsonHelper", "keys() gives no list", r"result\.__dict__\.keys\(\)\[0\]", "list(result.__dict__)[0]"),
    Patch(
        "jsonHelper",
        "filter gives no list",
        r"filter\((lambda a: a != u'cloudstack-version',\s+returnObj\.keys\(\))\)\[0\]",
        r"list(filter(\1))[0]",
    ),
    # Configuration and logging
    Patch(
        "configGenerator", "the builtin `file`, meant was the parameter", r"if file not in \[", "if file_path not in ["
    ),
    Patch(
        "marvinLog",
        "object.__new__ takes no arguments, and a second call must not give None",
        r"super\(MarvinLog, cls\)\.__new__\(cls, logger_name\)\n    (?=\s+return cls\._instance)",
        "object.__new__(cls)\n",
    ),
    Patch(
        "marvinInit",
        "a generator inside random.choice's argument",
        r"(string\.ascii_uppercase \+\s+string\.digits) for x in range\(3\)\)\)",
        r"\1) for x in range(3))",
    ),
    # Deployment
    Patch("deployDataCenter", "a sleep that can be made virtual", r"^from time import sleep$", "import time"),
    Patch("deployDataCenter", "a sleep that can be made virtual", r"^(\s+)sleep\(timeout\)", r"\1time.sleep(timeout)"),
    Patch(
        "deployDataCenter",
        "filter has no length",
        r"len\(filter\((lambda x:\s+x\.typ == 'Public',\s+zone\.physical_networks\[0\]\.\s*traffictypes)\)\)",
        r"len(list(filter(\1)))",
        count=2,
    ),
    Patch(
        "deployDataCenter",
        "map is lazy",
        r"map\((lambda attr: setattr\(.+?dir\(command\)\))\)",
        r"list(map(\1))",
    ),
    # Keys of users: today's server tells the secret key only through getUserKeys
    Patch(
        "deployDataCenter",
        "the keys that the user has already",
        r"apiKey = listuserRes\[0\]\.apikey\n(\s+)securityKey = listuserRes\[0\]\.secretkey",
        f"from {_LEVELLING} import user_keys\n"
        r"\1apiKey, securityKey = user_keys(self.testClient.getApiClient(), listuserRes[0])",
    ),
    Patch(
        "cloudstackTestClient",
        "the keys that the user has already",
        r"apiKey = listuserRes\[0\]\.apikey\n(\s+)securityKey = listuserRes\[0\]\.secretkey",
        f"from {_LEVELLING} import user_keys\n" r"\1apiKey, securityKey = user_keys(self.apiClient, listuserRes[0])",
    ),
    Patch(
        "cloudstackTestClient",
        "an administrator with keys is shown other accounts' users only on demand",
        r"listuser\.username = UserName$",
        "listuser.username, listuser.domainid, listuser.listall = UserName, domId, True",
    ),
    # Threads, SSH
    Patch("asyncJobMgr", "a method that never was", r"\.marvin_request\(cmd\)", ".marvinRequest(cmd)"),
    Patch("sshClient", "None has no order", r"if port is not None or port >= 0:", "if port is not None and port >= 0:"),
    # Test case and library
    Patch(
        "cloudstackTestCase",
        "an assertion without self",
        r"def assertElementInList\(inp,",
        "def assertElementInList(self, inp,",
    ),
    Patch("cloudstackTestCase", "an alias that is gone", r"unittest\.TestCase\.assertEquals\(", "self.assertEqual("),
    Patch(
        "integration.lib.base",
        "None has no order",
        r"if rootdisksize >= 0:",
        "if rootdisksize is not None and rootdisksize >= 0:",
    ),
    Patch(
        "integration.lib.base",
        "base64 takes and gives bytes",
        r'base64\.urlsafe_b64encode\(services\["userdata"\]\)',
        'base64.urlsafe_b64encode(services["userdata"].encode("utf-8")).decode("ascii")',
    ),
    Patch(
        "integration.lib.base",
        "map gives no list",
        r"return map\((lambda pn : .+?, apiclient\.listPhysicalNetworks\(cmd\))\)",
        r"return list(map(\1))",
    ),
    Patch(
        "integration.lib.base",
        "newer suites say whether to expunge",
        r"def delete\(self, apiclient\):(\s+[^\n]*\n\s+cmd = destroyVirtualMachine\.destroyVirtualMachineCmd\(\)\n)",
        r"def delete(self, apiclient, **kwargs):\1        vars(cmd).update(kwargs); ",
    ),
    # A program of its own, kept importable
    Patch("codegenerator", "a print over two lines", r'print\((".+?" % \(apiModule,)\)\n(.+?\))$', r"print(\1\n\2)"),
)
