"""CS3xx and CS4xx: what newer Pythons have removed, and skipTest on a class."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from cs_matrix_pytest.lint.findings import Finding
from cs_matrix_pytest.lint.suite import Module


@dataclass(frozen=True)
class Removal:
    """The Python without it, and what to use instead."""

    python: str
    instead: str


_ABSTRACT = (
    "Callable Container Generator Hashable ItemsView Iterable Iterator KeysView Mapping MutableMapping MutableSequence "
    "MutableSet Sequence Set Sized ValuesView"
)
_ABC = {name: Removal("3.10", f"collections.abc.{name}") for name in _ABSTRACT.split()}

REMOVED_MODULES: dict[str, Removal] = {
    "asynchat": Removal("3.12", "asyncio"),
    "asyncore": Removal("3.12", "asyncio"),
    "cgi": Removal("3.13", "urllib.parse and email.message"),
    "commands": Removal("3.0", "subprocess.getstatusoutput"),
    "ConfigParser": Removal("3.0", "configparser"),
    "crypt": Removal("3.13", "hashlib, or passlib from PyPI"),
    "distutils": Removal("3.12", "shutil and subprocess; setuptools has a distutils of its own"),
    "distutils.util": Removal(
        "3.12", 'a function of its own for strtobool: value.lower() in ("y", "yes", "true", "on", "1")'
    ),
    "distutils.version": Removal("3.12", "packaging.version"),
    "httplib": Removal("3.0", "http.client"),
    "imp": Removal("3.12", "importlib"),
    "nntplib": Removal("3.13", "a package from PyPI"),
    "pipes": Removal("3.13", "shlex.quote and subprocess"),
    "Queue": Removal("3.0", "queue"),
    "smtpd": Removal("3.12", "aiosmtpd from PyPI"),
    "StringIO": Removal("3.0", "io.StringIO"),
    "telnetlib": Removal("3.13", "a socket, or telnetlib3 from PyPI"),
    "urllib2": Removal("3.0", "urllib.request"),
    "urlparse": Removal("3.0", "urllib.parse"),
    "xml.etree.cElementTree": Removal("3.9", "xml.etree.ElementTree"),
}
"""By the name that an import gives; a package stands for what is in it."""

REMOVED_NAMES: dict[str, Removal] = {
    **{f"collections.{name}": removal for name, removal in _ABC.items()},
    "asyncio.coroutine": Removal("3.11", "async def"),
    "base64.decodestring": Removal("3.9", "base64.decodebytes"),
    "base64.encodestring": Removal("3.9", "base64.encodebytes"),
    "configparser.SafeConfigParser": Removal("3.12", "configparser.ConfigParser"),
    "gettext.lgettext": Removal("3.11", "gettext.gettext"),
    "inspect.formatargspec": Removal("3.11", "inspect.signature"),
    "inspect.getargspec": Removal("3.11", "inspect.getfullargspec"),
    "locale.format": Removal("3.12", "locale.format_string"),
    "platform.dist": Removal("3.8", "platform.freedesktop_os_release"),
    "platform.linux_distribution": Removal("3.8", "platform.freedesktop_os_release"),
    "random.jumpahead": Removal("3.0", "another seed"),
    "ssl.match_hostname": Removal("3.12", "SSLContext.check_hostname"),
    "ssl.wrap_socket": Removal("3.12", "ssl.SSLContext.wrap_socket"),
    "string.letters": Removal("3.0", "string.ascii_letters"),
    "string.maketrans": Removal("3.0", "str.maketrans"),
    "time.clock": Removal("3.8", "time.perf_counter"),
    "types.ListType": Removal("3.0", "list"),
    "types.StringType": Removal("3.0", "str"),
    "unittest._TextTestResult": Removal("3.12", "unittest.TextTestResult"),
    "unittest.findTestCases": Removal("3.13", "unittest.TestLoader.loadTestsFromModule"),
    "unittest.makeSuite": Removal("3.13", "unittest.TestLoader.loadTestsFromTestCase"),
    "urllib.quote": Removal("3.0", "urllib.parse.quote"),
    "urllib.unquote": Removal("3.0", "urllib.parse.unquote"),
    "urllib.urlencode": Removal("3.0", "urllib.parse.urlencode"),
    "urllib.urlopen": Removal("3.0", "urllib.request.urlopen"),
}
"""By module and name."""

REMOVED_METHODS: dict[str, Removal] = {
    "assertAlmostEquals": Removal("3.12", "assertAlmostEqual"),
    "assertDictContainsSubset": Removal("3.12", "assertEqual(actual, {**actual, **expected})"),
    "assertEquals": Removal("3.12", "assertEqual"),
    "assertItemsEqual": Removal("3.0", "assertCountEqual"),
    "assertNotAlmostEquals": Removal("3.12", "assertNotAlmostEqual"),
    "assertNotEquals": Removal("3.12", "assertNotEqual"),
    "assertNotRegexpMatches": Removal("3.12", "assertNotRegex"),
    "assertRaisesRegexp": Removal("3.12", "assertRaisesRegex"),
    "assertRegexpMatches": Removal("3.12", "assertRegex"),
    "assert_": Removal("3.12", "assertTrue"),
    "failIf": Removal("3.12", "assertFalse"),
    "failIfEqual": Removal("3.12", "assertNotEqual"),
    "failUnless": Removal("3.12", "assertTrue"),
    "failUnlessEqual": Removal("3.12", "assertEqual"),
    "failUnlessRaises": Removal("3.12", "assertRaises"),
    "has_key": Removal("3.0", "`in`"),
    "isAlive": Removal("3.9", "is_alive"),
    "iteritems": Removal("3.0", "items"),
    "iterkeys": Removal("3.0", "keys"),
    "itervalues": Removal("3.0", "values"),
    "readfp": Removal("3.12", "read_file"),
}
"""Methods whose name alone tells, called on whatever."""


def check_python(module: Module) -> Iterator[Finding]:
    """Every CS3xx and CS4xx finding of a module."""
    given = _imported_names(module)
    tried = _tried(module)
    for node in module.nodes:
        if isinstance(node, ast.Import | ast.ImportFrom) and node not in tried:
            yield from _imports(module.file, node)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in given:
            name = f"{given[node.value.id]}.{node.attr}"
            if name in REMOVED_NAMES:
                yield _removed(module.file, node, "CS301", name, REMOVED_NAMES[name])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in REMOVED_METHODS:
            yield _removed(module.file, node.func, "CS301", f".{node.func.attr}()", REMOVED_METHODS[node.func.attr])
        elif isinstance(node, ast.FunctionDef) and _is_classmethod(node):
            yield from _skips(module.file, node)


def _imports(file: str, node: ast.Import | ast.ImportFrom) -> Iterator[Finding]:
    if isinstance(node, ast.ImportFrom):
        if node.level or not node.module:
            return
        modules = [node.module]
        for alias in node.names:
            name = f"{node.module}.{alias.name}"
            if name in REMOVED_NAMES:
                yield _removed(file, node, "CS301", name, REMOVED_NAMES[name])
    else:
        modules = [alias.name for alias in node.names]
    for module in modules:
        removal = REMOVED_MODULES.get(module) or REMOVED_MODULES.get(module.partition(".")[0])
        if removal is not None:
            yield _removed(file, node, "CS302", f"the module {module}", removal)


def _removed(file: str, node: ast.expr | ast.stmt, code: str, name: str, removal: Removal) -> Finding:
    line = node.end_lineno if isinstance(node, ast.Attribute) and node.end_lineno else node.lineno
    return Finding(
        file,
        line,
        node.col_offset + 1,
        code,
        f"{name} is not in Python {removal.python} and newer",
        f"use {removal.instead}",
    )


def _imported_names(module: Module) -> dict[str, str]:
    """What names of the module stand for: ``import inspect as i`` → i: inspect."""
    return {
        alias.asname or alias.name: alias.name
        for node in module.nodes
        if isinstance(node, ast.Import)
        for alias in node.names
    }


def _tried(module: Module) -> set[ast.AST]:
    """Imports within ``try``: who writes them has thought of their absence."""
    return {
        node
        for block in module.nodes
        if isinstance(block, ast.Try) and block.handlers
        for node in [*block.body, *(line for handler in block.handlers for line in handler.body)]
        if isinstance(node, ast.Import | ast.ImportFrom)
    }


def _is_classmethod(node: ast.FunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "classmethod" for each in node.decorator_list)


def _skips(file: str, method: ast.FunctionDef) -> Iterator[Finding]:
    if not method.args.args:
        return
    first = method.args.args[0].arg
    for node in ast.walk(method):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "skipTest"
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == first
            and len(node.args) + len(node.keywords) < 2
        ):
            yield Finding(
                file,
                node.lineno,
                node.col_offset + 1,
                "CS401",
                f"{first}.skipTest() in {method.name} is a TypeError, not a skip: a class has no test to skip",
                "write: raise unittest.SkipTest(reason)",
            )
