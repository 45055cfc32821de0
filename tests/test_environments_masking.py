"""Secrets do not get through, and what is no secret does."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_matrix_pytest.environments.masking import MASK, Masker, masked, secret_paths, secrets_in
from cs_matrix_pytest.environments.secret_names import SECRET_NAMES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("?command=login&password=a%26b&domain=/", f"?command=login&password={MASK}&domain=/"),
        ("&apiKey=Ab-1&signature=x%3D HTTP/1.1", f"&apiKey={MASK}&signature={MASK} HTTP/1.1"),
        ("sessionkey=abc JSESSIONID=node0x.node0; Path=/", f"sessionkey={MASK} JSESSIONID={MASK}; Path=/"),
        ('{"secretkey": "a\\"b", "id": 1}', f'{{"secretkey": "{MASK}", "id": 1}}'),
        ('{"apikey":"x","user":"y"}', f'{{"apikey":"{MASK}","user":"y"}}'),
        ("{'passwd': 'it\\'s', 'port': 8096}", f"{{'passwd': '{MASK}', 'port': 8096}}"),
        ("{passwd : 'cloud', user : 'cloud'}", f"{{passwd : '{MASK}', user : 'cloud'}}"),
        ("{'signature': b'x+/=', 'a': 1}", f"{{'signature': b'{MASK}', 'a': 1}}"),
        ("{'password': u'x y', 'a': 1}", f"{{'password': u'{MASK}', 'a': 1}}"),
        ('"log {\\"password\\": \\"x y\\", 1}"', f'"log {{\\"password\\": \\"{MASK}\\", 1}}"'),
        ("password: hunter2\nuser: x", f"password: {MASK}\nuser: x"),
        ("details[0].ipmi_password=x&details[0].user=y", f"details[0].ipmi_password={MASK}&details[0].user=y"),
        ("<secretkey>abc</secretkey><id>1</id>", f"<secretkey>{MASK}</secretkey><id>1</id>"),
        ("smb://admin:pa:ss@host/share", f"smb://admin:{MASK}@host/share"),
        ("api_key=x secret-key=y securityKey=z", f"api_key={MASK} secret-key={MASK} securityKey={MASK}"),
        ("token=abc, usertoken=abc", f"token={MASK}, usertoken={MASK}"),
    ],
)
def test_by_name(text, expected):
    assert Masker().mask(text) == expected
    assert Masker().mask(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "passwordenabled: true",
        "{'passwd': None, 'apiKey': null}",
        "http://host:8096/client/api?command=listZones",
        "the password was refused",
        "resetPasswordForVirtualMachine id=5",
        "cloudstack runs on host cloud7",
        '"apikey": ""',
        "    assert user.password == given.password",
    ],
)
def test_what_is_no_secret_stays(text):
    assert Masker(["cloud", "password", "abc", ""]).mask(text) == text


def test_by_value_wherever_it_stands():
    masker = Masker(["S3cr/t+&~*"])
    forms = ["S3cr/t+&~*", quote("S3cr/t+&~*", safe=""), quote_plus("S3cr/t+&~*"), "S3cr%2Ft%2B%26%7E*", "xS3cr/t+&~*x"]
    for form in forms:
        assert MASK in masker.mask(f"before {form} after")
        assert "S3cr" not in masker.mask(f"before {form} after")


def test_short_values_only_as_words_and_very_short_ones_only_by_name():
    masker = Masker(["cloud", "abc"])
    assert masker.mask("cloud cloudstack (cloud) abc") == f"{MASK} cloudstack ({MASK}) abc"
    assert masker.mask("password=abc") == f"password={MASK}"


def test_the_longest_secret_first():
    assert Masker(["longsecret", "longsecret-and-more"]).mask("longsecret-and-more") == MASK


def test_registering_later():
    masker = Masker()
    assert masker.mask("found hunter22") == "found hunter22"
    masker.register("hunter22")
    masker.register()
    assert masker.mask("found hunter22") == f"found {MASK}"


def is_no_name(secret: str) -> bool:
    """A value that is itself the name of a secret is masked only behind a name: the documented exception."""
    return secret.lower() not in SECRET_NAMES


@given(st.text(min_size=8).filter(is_no_name), st.text(), st.text())
def test_a_long_secret_never_gets_through(secret, before, after):
    masker = Masker([secret])
    text = f"{before}\n{secret}\n{after}"
    if secret not in before + after and secret not in MASK:
        assert f"\n{secret}\n" not in masker.mask(text)


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=8).filter(is_no_name))
def test_nor_in_json_nor_in_a_url(secret):
    masker = Masker([secret])
    for text in (
        json.dumps({"a": secret}),
        f"?a={quote(secret, safe='')}&b=1",
        f"?a={quote_plus(secret)}&b=1",
        repr([secret]),
    ):
        assert MASK in masker.mask(text)


CONFIG = {
    "mgtSvr": [{"user": "root", "passwd": "abcd", "apiKey": None, "securityKey": "", "useHttps": "False"}],
    "zones": [{"vmwaredc": {"password": 1234}, "passwordenabled": "x"}],
}


def test_secrets_in_a_configuration():
    assert dict(secret_paths(CONFIG)) == {"mgtSvr.0.passwd": "abcd", "zones.0.vmwaredc.password": "1234"}
    assert set(secrets_in(CONFIG)) == {"abcd", "1234"}


def test_masked_copies():
    copy = masked(CONFIG)
    assert copy["mgtSvr"] == [{"user": "root", "passwd": MASK, "apiKey": None, "securityKey": "", "useHttps": "False"}]
    assert copy["zones"] == [{"vmwaredc": {"password": MASK}, "passwordenabled": "x"}]
    assert CONFIG["mgtSvr"][0]["passwd"] == "abcd"
