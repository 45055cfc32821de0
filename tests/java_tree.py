"""A small checkout in the form of CloudStack's, written for these tests: Java annotations, and a Marvin without its API."""

from __future__ import annotations

from pathlib import Path

BASE = "org/apache/cloudstack/api"

JAVA = {
    f"api:{BASE}/ApiConstants.java": """
        package org.apache.cloudstack.api;
        public class ApiConstants {
            // public static final String NAME = "not this one";
            public static final String NAME = "name", ZONE = "zone";
            public static final String ID = "id";
            public static final String ZONE_ID = ZONE + ID; /* "zoneid" */
            public static final String JOB_ID = "jobid";
            public static final String PREFIX = "vm" + "\\u0070refix";
            static { if (NAME.equals("}")) { throw new IllegalStateException("{"); } }
            public enum Mode { ON("{") { int x() { return 1; } }, OFF; public static final String LAST = "x"; }
        }
        """,
    f"api:{BASE}/BaseCmd.java": """
        package org.apache.cloudstack.api;
        public abstract class BaseCmd {
            public enum CommandType { BOOLEAN, LIST, MAP, STRING, UUID, INTEGER }
            @Parameter(name = "response", type = CommandType.STRING)
            private String responseType;
        }
        """,
    f"api:{BASE}/BaseAsyncCmd.java": """
        package org.apache.cloudstack.api;
        public abstract class BaseAsyncCmd extends BaseCmd {
            @Parameter(name = "ctxStartEventId") private Long id;
        }
        """,
    f"api:{BASE}/BaseListCmd.java": """
        package org.apache.cloudstack.api;
        public abstract class BaseListCmd extends BaseCmd implements Paged {
            @Parameter(name = PAGE_SIZE, type = CommandType.INTEGER) private Integer pageSize;
            @Parameter(name = "hidden", type = CommandType.STRING, expose = false) private String hidden;
            @Parameter(name = "undocumented", type = CommandType.STRING, includeInApiDoc = false) private String other;
        }
        """,
    f"api:{BASE}/Paged.java": """
        package org.apache.cloudstack.api;
        public interface Paged { String PAGE_SIZE = "page" + "size"; }
        """,
    f"api:{BASE}/BaseResponse.java": """
        package org.apache.cloudstack.api;
        import com.google.gson.annotations.SerializedName;
        public abstract class BaseResponse {
            @SerializedName(ApiConstants.JOB_ID) @Param(description = "the job") protected String jobId;
        }
        """,
    f"api:{BASE}/response/TagResponse.java": """
        package org.apache.cloudstack.api.response;
        import org.apache.cloudstack.api.*;
        public class TagResponse extends BaseResponse {
            @SerializedName("key") @Param(description = "") private String key;
            @SerializedName("children") @Param(responseObject = TagResponse.class) private Set<TagResponse> children;
        }
        """,
    f"api:{BASE}/response/VmResponse.java": """
        package org.apache.cloudstack.api.response;
        import org.apache.cloudstack.api.ApiConstants;
        import org.apache.cloudstack.api.BaseResponse;
        public class VmResponse extends BaseResponse {
            @SerializedName(ApiConstants.ID) @Param(description = "its id") private String id;
            @SerializedName(value = "tags") @Param(description = "tags", responseObject = TagResponse.class)
            private Map<String, List<TagResponse>> tags;
            @SerializedName("keys") @Param(description = "all \\"keys\\"") private String[] keys;
            @SerializedName("secret") private String withoutParam;
            private final Map<String, Integer> notAnnotated = new HashMap<>() {{ put("a;", 1); }};
            public String getId() { return "} // " + id; }
            public <T extends Comparable<T>> void setAll(List<T> all) throws Exception { for (T x : all) { use(x); } }
        }
        """,
    f"api:{BASE}/response/AdminVmResponse.java": """
        package org.apache.cloudstack.api.response;
        public class AdminVmResponse extends VmResponse {
            @SerializedName("host") @Param(description = "its host", responseObject = VmResponse.class) private VmResponse host;
        }
        """,
    f"api:{BASE}/command/StartVmCmd.java": """
        package org.apache.cloudstack.api.command;
        import org.apache.cloudstack.api.APICommand;
        import org.apache.cloudstack.api.ApiConstants;
        import org.apache.cloudstack.api.BaseAsyncCmd;
        import org.apache.cloudstack.api.response.VmResponse;
        /** {@code @APICommand(name = "ghost", responseObject = VmResponse.class)} */
        @APICommand(name = StartVmCmd.APINAME, description = "Starts a \\"VM\\" \\\\ now" + ".",
            responseObject = VmResponse.class, entityType = {VirtualMachine.class})
        public class StartVmCmd extends BaseAsyncCmd {
            public static final String APINAME = "startVm";
            @Parameter(name = ApiConstants.ID, type = CommandType.UUID, entityType = {VmResponse.class}, required = true)
            private Long id;
            @Parameter(name = ApiConstants.PREFIX, type = BaseCmd.CommandType.LIST, collectionType = CommandType.STRING)
            private List<String> prefixes;
        }
        """,
    f"api:{BASE}/command/ListVmsCmd.java": """
        package org.apache.cloudstack.api.command;
        import static org.apache.cloudstack.api.ApiConstants.ZONE_ID;
        import org.apache.cloudstack.api.*;
        import org.apache.cloudstack.api.response.*;
        @APICommand(name = "listVms", description = "", responseObject = VmResponse.class)
        public class ListVmsCmd extends BaseListCmd {
            @Parameter(name = ZONE_ID, type = CommandType.UUID) private Long zone;
        }
        """,
    f"api:{BASE}/command/admin/ListVmsCmdByAdmin.java": """
        package org.apache.cloudstack.api.command.admin;
        import org.apache.cloudstack.api.command.ListVmsCmd;
        import org.apache.cloudstack.api.response.AdminVmResponse;
        @APICommand(name = "listVms", responseView = ResponseView.Full, responseObject = AdminVmResponse.class)
        public class ListVmsCmdByAdmin extends ListVmsCmd implements AdminCmd {
            @Parameter(name = "hostid", type = CommandType.UUID) private Long host;
        }
        """,
    f"api:{BASE}/command/SecretCmd.java": """
        package org.apache.cloudstack.api.command;
        @APICommand(name = "secret", responseObject = VmResponse.class, includeInApiDoc = false)
        public class SecretCmd extends BaseCmd { }
        """,
    "plugins/network-elements/acme:com/acme/AcmeCmd.java": """
        package com.acme;
        import org.apache.cloudstack.api.BaseCmd;
        @org.apache.cloudstack.api.APICommand(name = "addAcme", description = "Adds it",
                                              responseObject = AcmeCmd.Answer.class)
        public class AcmeCmd extends BaseCmd {
            @Parameter(name = "details", type = CommandType.MAP, required = AcmeCmd.MUST) private Map<?, ?> details;
            static final boolean MUST = true;
            public static class Answer extends org.apache.cloudstack.api.BaseResponse {
                @SerializedName("count") @Param(description = "how many") private int count;
            }
        }
        """,
}
"""``MODULE:PATH`` → source."""

TAGS = {
    "name": "tags",
    "type": "map",
    # A tag holds tags: that is where the real one stops, too.
    "response": [{"name": "key", "type": "string"}, {"name": "children", "type": "set"}],
}
APIS = [
    {
        "name": "addAcme",
        "description": "Adds it",
        "isasync": False,
        "params": [{"name": "details", "type": "map", "required": True}],
        "response": [{"name": "count", "type": "int"}, {"name": "jobid", "type": "string"}],
    },
    {
        "name": "listVms",
        "description": "listVms",
        "isasync": False,
        "params": [
            {"name": "hostid", "type": "uuid", "required": False},
            {"name": "zoneid", "type": "uuid", "required": False},
            {"name": "pagesize", "type": "integer", "required": False},
        ],
        "response": [
            {
                "name": "host",
                "type": "vmresponse",
                "response": [
                    {"name": "id", "type": "string"},
                    TAGS,
                    {"name": "keys", "type": "string[]"},
                ],
            },
            {"name": "id", "type": "string"},
            TAGS,
            {"name": "keys", "type": "string[]"},
            {"name": "jobid", "type": "string"},
        ],
    },
    {
        "name": "startVm",
        "description": 'Starts a "VM" \\ now.',
        "isasync": True,
        "params": [
            {"name": "id", "type": "uuid", "required": True},
            {"name": "vmprefix", "type": "list", "required": False},
        ],
        "response": [
            {"name": "id", "type": "string"},
            TAGS,
            {"name": "keys", "type": "string[]"},
            {"name": "jobid", "type": "string"},
        ],
    },
]
"""What ``listApis`` of a server built from these sources would say, without what depends on the server."""
GENERATOR = '''
"""Writes a module for each command; as careless about its input as the real one."""
import json
import os
from urllib.request import urlopen


class CodeGenerator:
    names = []

    def __init__(self, folder):
        self.folder = os.path.join(folder, "cloudstackAPI")

    def write(self, name, text):
        with open(os.path.join(self.folder, name + ".py"), "w") as stream:
            stream.write(text)

    def generateCodeFromJSON(self, url):
        if "response=json" not in url:
            return
        for api in json.loads(urlopen(url).readlines()[0])["listapisresponse"]["api"]:
            self.command(api)
        self.write("__init__", "__all__ = %r" % (self.names + ["cloudstackAPIClient"]))
        imports = "".join("from .%s import %sResponse\\n" % (name, name) for name in self.names)
        methods = "".join("    def %s(self, command): return %sResponse()\\n" % (name, name) for name in self.names)
        self.write("cloudstackAPIClient", imports + "class CloudStackAPIClient:\\n" + methods)

    def command(self, api):
        name = api["name"]
        self.names.append(name)
        lines = ['"""%s"""' % api["description"], "class %sCmd:" % name, "    def __init__(self):"]
        lines += ['        self.isAsync = "%s"' % str(api["isasync"]).lower()]
        required = []
        for each in api["params"]:
            lines += ["        self.%s = %s" % (each["name"], "[]" if each["type"] in ("list", "map") else None)]
            required += [each["name"]] if each["required"] else []
        lines += ["        self.required = %r" % required]
        lines += ["class %sResponse:" % name, "    def __init__(self):", *self.fields(api["response"]), ""]
        self.write(name, "\\n".join(lines))

    def fields(self, fields):
        lines = []
        for each in fields:
            if each:
                assert each["name"]
                if each.get("description") is not None:
                    lines.append('        """"%s"""' % each["description"])
                self.fields(each.get("response", []))
                lines.append("        self.%s = %s" % (each["name"], "[]" if "response" in each else None))
        return lines or ["        pass"]
'''

MARVIN = {
    "__init__.py": "",
    "cloudstackTestCase.py": "import unittest\nfrom .cloudstackAPI import *\n\n\nclass cloudstackTestCase(unittest.TestCase):\n    pass\n",
    "cloudstackConnection.py": "import json\nfrom .cloudstackAPI import *\n",
    "cloudstackTestClient.py": "from .cloudstackConnection import *\n",
    "configGenerator.py": "",
    "marvinInit.py": "from marvin.cloudstackTestClient import *\n",
    "lib/__init__.py": "",
    "lib/base.py": "from marvin.cloudstackAPI import *\n",
    "lib/utils.py": "",
    "lib/common.py": "from marvin.lib.base import *\n",
    "codegenerator.py": GENERATOR,
}

SUITE = """
from marvin.cloudstackTestCase import cloudstackTestCase
from marvin.cloudstackAPI import listVms
from nose.plugins.attrib import attr


class TestVms(cloudstackTestCase):
    @attr(tags=["advanced"], required_hardware="false")
    def test_list(self):
        self.assertEqual(listVms.listVmsCmd().required, [])
"""


def write_tree(top: Path) -> Path:
    """Write the checkout into the folder ``top`` and return it."""
    for place, text in JAVA.items():
        module, _, path = place.partition(":")
        write(top / module / "src/main/java" / path, text)
    command = '@APICommand(name = "onlyInTests", responseObject = BaseResponse.class) class FakeCmd extends BaseCmd {}'
    write(top / "api/src/test/java" / BASE / "FakeCmd.java", f"package org.apache.cloudstack.api; {command}")
    write(top / "ui/node_modules/x/src/main/java/FakeCmd.java", command)
    for path, text in MARVIN.items():
        write(top / "tools/marvin/marvin" / path, text)
    write(top / "tools/marvin/setup.py", 'VERSION = "4.99.0.0"\n')
    write(top / "test/integration/smoke/test_vms.py", SUITE)
    return top


def write(file: Path, text: str) -> None:
    """Write a file and the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
