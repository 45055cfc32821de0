"""What Python 3 has removed and suites still use: one table for the linter, which tells, and for the stand-ins, which help.

Data alone, for both must be quick to import. The versions and replacements are those of Python's own "What's New" pages.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Removal:
    """The Python without it, what to write instead, and what stands in for it meanwhile.

    `stand_in` is ``module:name`` for a name, a method's name for a method, and True for a module that
    `removed_python_stand_ins.MODULES` has; `package` is the distribution that brings a module back under its old name.
    """

    python: str
    instead: str
    stand_in: str | bool = False
    package: str | None = None

    @property
    def is_gone(self) -> bool:
        """True where the Python that runs lacks it."""
        return tuple(map(int, self.python.split("."))) <= sys.version_info[:2]

    def about(self, what: str) -> str:
        """What is wrong with `what`, as findings and warnings say it."""
        return f"{what} is not in Python {self.python} and newer"


_HERE = "cs_matrix_pytest.marvin_bridge.removed_python_stand_ins"

_ABSTRACT = (
    "AsyncGenerator AsyncIterable AsyncIterator Awaitable Callable Collection Container Coroutine Generator Hashable "
    "ItemsView Iterable Iterator KeysView Mapping MappingView MutableMapping MutableSequence MutableSet Reversible "
    "Sequence Set Sized ValuesView"
)
_ABC = {name: Removal("3.10", f"collections.abc.{name}", f"collections.abc:{name}") for name in _ABSTRACT.split()}

REMOVED_MODULES: dict[str, Removal] = {
    "asynchat": Removal("3.12", "asyncio"),
    "asyncore": Removal("3.12", "asyncio", package="standard-asyncore"),
    "cgi": Removal("3.13", "urllib.parse and email.message"),
    "commands": Removal("3.0", "subprocess.getstatusoutput"),
    "ConfigParser": Removal("3.0", "configparser"),
    "crypt": Removal("3.13", "hashlib, or passlib from PyPI"),
    "distutils": Removal(
        "3.12", "shutil and subprocess; setuptools has a distutils of its own", True, package="setuptools"
    ),
    "distutils.util": Removal(
        "3.12",
        'a function of its own for strtobool: value.lower() in ("y", "yes", "true", "on", "1")',
        True,
        "setuptools",
    ),
    "distutils.version": Removal("3.12", "packaging.version", package="setuptools"),
    "httplib": Removal("3.0", "http.client"),
    "imp": Removal("3.12", "importlib", True),
    "nntplib": Removal("3.13", "a package from PyPI"),
    "pipes": Removal("3.13", "shlex.quote and subprocess"),
    "Queue": Removal("3.0", "queue"),
    "smtpd": Removal("3.12", "aiosmtpd from PyPI"),
    "StringIO": Removal("3.0", "io.StringIO"),
    "telnetlib": Removal("3.13", "a socket, or telnetlib3 from PyPI", package="standard-telnetlib"),
    "urllib2": Removal("3.0", "urllib.request"),
    "urlparse": Removal("3.0", "urllib.parse"),
    "xml.etree.cElementTree": Removal("3.9", "xml.etree.ElementTree"),
}
"""By the name that an import gives; a package stands for what is in it."""

REMOVED_NAMES: dict[str, Removal] = {
    **{f"collections.{name}": removal for name, removal in _ABC.items()},
    "asyncio.coroutine": Removal("3.11", "async def", "types:coroutine"),
    "base64.decodestring": Removal("3.9", "base64.decodebytes", "base64:decodebytes"),
    "base64.encodestring": Removal("3.9", "base64.encodebytes", "base64:encodebytes"),
    "configparser.SafeConfigParser": Removal("3.12", "configparser.ConfigParser", f"{_HERE}:SafeConfigParser"),
    "gettext.lgettext": Removal("3.11", "gettext.gettext"),
    "inspect.formatargspec": Removal("3.11", "inspect.signature"),
    "inspect.getargspec": Removal("3.11", "inspect.getfullargspec", f"{_HERE}:getargspec"),
    "locale.format": Removal("3.12", "locale.format_string", "locale:format_string"),
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
    "unittest._TextTestResult": Removal("3.12", "unittest.TextTestResult", "unittest:TextTestResult"),
    "unittest.findTestCases": Removal("3.13", "unittest.TestLoader.loadTestsFromModule", f"{_HERE}:findTestCases"),
    "unittest.makeSuite": Removal("3.13", "unittest.TestLoader.loadTestsFromTestCase", f"{_HERE}:makeSuite"),
    "urllib.quote": Removal("3.0", "urllib.parse.quote"),
    "urllib.unquote": Removal("3.0", "urllib.parse.unquote"),
    "urllib.urlencode": Removal("3.0", "urllib.parse.urlencode"),
    "urllib.urlopen": Removal("3.0", "urllib.request.urlopen"),
}
"""By module and name."""


def _assertion(instead: str, python: str = "3.12") -> Removal:
    return Removal(python, instead, instead)


REMOVED_METHODS: dict[str, Removal] = {
    "assertAlmostEquals": _assertion("assertAlmostEqual"),
    "assertDictContainsSubset": Removal(
        "3.12", "assertEqual(actual, {**actual, **expected})", f"{_HERE}:assertDictContainsSubset"
    ),
    "assertEquals": _assertion("assertEqual"),
    "assertItemsEqual": _assertion("assertCountEqual", "3.0"),
    "assertNotAlmostEquals": _assertion("assertNotAlmostEqual"),
    "assertNotEquals": _assertion("assertNotEqual"),
    "assertNotRegexpMatches": _assertion("assertNotRegex"),
    "assertRaisesRegexp": _assertion("assertRaisesRegex"),
    "assertRegexpMatches": _assertion("assertRegex"),
    "assert_": _assertion("assertTrue"),
    "failIf": _assertion("assertFalse"),
    "failIfAlmostEqual": _assertion("assertNotAlmostEqual"),
    "failIfEqual": _assertion("assertNotEqual"),
    "failUnless": _assertion("assertTrue"),
    "failUnlessAlmostEqual": _assertion("assertAlmostEqual"),
    "failUnlessEqual": _assertion("assertEqual"),
    "failUnlessRaises": _assertion("assertRaises"),
    "has_key": Removal("3.0", "`in`"),
    "isAlive": Removal("3.9", "is_alive"),
    "iteritems": Removal("3.0", "items"),
    "iterkeys": Removal("3.0", "keys"),
    "itervalues": Removal("3.0", "values"),
    "readfp": Removal("3.12", "read_file"),
}
"""Methods whose name alone tells, called on whatever; those with a stand-in are of `unittest.TestCase`."""


def removed_module(name: str) -> Removal | None:
    """The entry of a module, or of the package that it is in, by the name that an import gives."""
    return REMOVED_MODULES.get(name) or REMOVED_MODULES.get(name.partition(".")[0])
