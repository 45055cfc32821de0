"""Themes of the web interface (GuiThemeServiceImpl, GuiThemeJoinDaoImpl)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError
from cs_matrix_pytest.simulator.models.gui_themes import GuiTheme
from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success
from cs_matrix_pytest.simulator.views import comma, when

family = Family("GUI themes")

NAMED = {"commonnames": "common_names", "domainids": "domains", "accountids": "accounts"}
"""Parameters that say whom a theme is for, and the attributes that keep them."""


@family.view(GuiTheme)
def gui_theme_view(theme: GuiTheme, call: Call) -> dict[str, Any]:
    shown = {
        "jsonconfiguration": theme.json_configuration,
        "css": theme.css,
        "loginbasedomain": theme.login_base_domain,
    }
    if not call.is_root_admin or call.account is call.cloud.system_account:
        return shown
    return {
        **shown,
        "id": theme.id,
        "name": theme.name,
        "description": theme.description,
        **{parameter: comma(getattr(theme, attribute)) or None for parameter, attribute in NAMED.items()},
        "recursivedomains": theme.recursive_domains,
        "ispublic": theme.is_public,
        "created": when(theme.created),
        "removed": when(theme.removed),
    }


def _split(text: str) -> list[str]:
    """A parameter's values; one empty one where it is blank, as the server keeps it."""
    return re.sub(r"\s", "", text).split(",")


def _check(call: Call, named: dict[str, str | None], base_domain: str | None, mine: GuiTheme | None) -> None:
    css, configuration = call.get("css"), call.get("jsonconfiguration")
    if not any(text and text.strip() for text in (css, configuration, base_domain)):
        raise InternalError(
            "At least one of the `css`, `jsonconfiguration`, or `loginbasedomain` parameters must be informed."
        )
    default = call.cloud.store.table(GuiTheme).first(lambda theme: theme.is_default)
    if not any(text and text.strip() for text in named.values()) and default not in (None, mine):
        raise InternalError(
            f"Only one default GUI theme is allowed. Remove the current default theme {_java_object(default)} and try again."
        )
    _check_ids(call, named["accountids"], Account, "Account")
    _check_ids(call, named["domainids"], Domain, "Domain")
    if configuration and configuration.strip():
        _check_json(configuration)
    if base_domain is not None and not (named["commonnames"] or "").strip():
        raise InternalError("Parameter `loginBaseDomain` must be provided with `commonNames`.")


def _java_object(theme: GuiTheme | None) -> str:
    """A theme as Java writes an object that has no text of its own."""
    return f"org.apache.cloudstack.gui.theme.GuiThemeJoinVO@{hash(theme) & 0xFFFFFFFF:x}"


def _check_ids(call: Call, text: str | None, kind: type[Account] | type[Domain], word: str) -> None:
    if not text or not text.strip():
        return
    for id in re.split(r"\s*,\s*", text):
        if call.cloud.store.table(kind).get(id) is None:
            raise InternalError(f"The {word} ID {id} does not exist. Verify the informed IDs and try again.")


def _check_json(text: str) -> None:
    try:
        value = json.loads(text)
    except ValueError:
        raise InternalError("Specified JSON configuration is not a valid JSON object.") from None
    if not isinstance(value, dict):
        raise InternalError(f"Not a JSON Object: {json.dumps(value, separators=(',', ':'))}")


@family.command("createGuiTheme")
def create_gui_theme(call: Call) -> Answer:
    named = {parameter: call.get(parameter) for parameter in NAMED}
    _check(call, named, call.get("loginbasedomain"), None)
    theme = GuiTheme(
        name=call["name"],
        description=call.get("description"),
        css=call.get("css"),
        json_configuration=call.get("jsonconfiguration"),
        login_base_domain=call.get("loginbasedomain"),
        recursive_domains=call.flag("recursivedomains"),
    )
    _aim(theme, named, call.flag("ispublic", True))
    return call.cloud.store.add(theme)


def _aim(theme: GuiTheme, named: dict[str, str | None], is_public: bool) -> None:
    """Set whom a theme is for; one for certain domains or accounts is not public."""
    for parameter, attribute in NAMED.items():
        text = named[parameter]
        setattr(theme, attribute, [] if text is None else _split(text))
    private = any((named[parameter] or "").strip() for parameter in ("domainids", "accountids"))
    theme.is_public = is_public and not private


@family.command("updateGuiTheme")
def update_gui_theme(call: Call) -> Answer:
    theme = call.one(GuiTheme)
    named = {
        parameter: call.get(parameter, comma(getattr(theme, attribute)) or None)
        for parameter, attribute in NAMED.items()
    }
    base_domain = call.get("loginbasedomain", theme.login_base_domain)
    _check(call, named, base_domain, theme)
    if "name" in call:
        theme.name = call["name"] if call["name"].strip() else None
    if "description" in call:
        theme.description = call["description"] if call["description"].strip() else None
    theme.css = call.get("css", theme.css)
    theme.json_configuration = call.get("jsonconfiguration", theme.json_configuration)
    theme.login_base_domain = base_domain
    theme.recursive_domains = call.flag("recursivedomains", theme.recursive_domains)
    _aim(theme, named, call.flag("ispublic", theme.is_public))
    return theme


@family.command("removeGuiTheme")
def remove_gui_theme(call: Call) -> Answer:
    theme = call.get("id")
    if not isinstance(theme, GuiTheme) or theme not in call.cloud.store:
        raise InternalError("Unable to find a GUI theme with the specified ID.")
    call.cloud.store.remove(theme)
    return Success()


def _answers_to(theme: GuiTheme, common_name: str) -> bool:
    """True where one of the theme's names fits: ``*.example.org`` fits a.example.org and example.org."""

    def fits(pattern: str, wildcard: str) -> bool:
        parts = (re.escape(part) for part in pattern.split(wildcard))
        return re.fullmatch(".*".join(parts), common_name, re.IGNORECASE | re.DOTALL) is not None

    return any(fits(name, "*") or fits(name, "*.") for name in theme.common_names)


def _reaches(call: Call, theme: GuiTheme, domain: Domain) -> bool:
    mine = [call.cloud.store.table(Domain).get(id) for id in theme.domains]
    return domain in mine or (theme.recursive_domains and any(one and one.contains(domain) for one in mine))


@family.command("listGuiThemes")
def list_gui_themes(call: Call) -> Answer:
    themes: Iterable[GuiTheme] = call.cloud.store.table(GuiTheme)
    common_name = call.get("commonname", "").strip()
    if call.flag("listonlydefaulttheme"):
        default = next((theme for theme in themes if theme.is_default), None)
        return [default] if default else []
    if call.account is call.cloud.system_account:
        # Who has not logged in may only ask by the name of the host.
        return _newest(theme for theme in themes if not common_name or _answers_to(theme, common_name))
    list_all, domain, account = call.flag("listall"), call.maybe(Domain, "domainid"), call.maybe(Account, "accountid")
    if call.flag("showremoved") and not list_all:
        themes = (*themes, *call.cloud.store.table(GuiTheme).removed())
    shown = [
        theme
        for theme in themes
        if theme.name == call.get("name", theme.name)
        and (account is None or account.id in theme.accounts)
        and (list_all or theme.is_public is call.get("showpublic", theme.is_public))
    ]
    if not ("id" in call or common_name or domain):
        return _newest(shown)
    # These three add up: the server asks for a theme whose number is among those that each of them finds.
    return _newest(
        theme
        for theme in shown
        if theme is call.get("id")
        or (common_name and _answers_to(theme, common_name))
        or (domain and _reaches(call, theme, domain))
    )


def _newest(themes: Iterable[GuiTheme]) -> Listing:
    rows = sorted(themes, key=lambda theme: (theme.created, theme.number), reverse=True)
    return Listing(rows, len(rows))
