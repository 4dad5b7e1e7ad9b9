"""Addresses as they may be shown: whatever people write before the last at sign, none of it is left."""

from __future__ import annotations

import base64
import re
from http.client import HTTPConnection, InvalidURL
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from a2m_edge.addresses import (
    host_and_port,
    is_misread,
    keeps_secret,
    misreading,
    scrubbed,
    shown,
    shown_place,
    without_secrets,
)
from tests.fixtures.hostile_addresses import HOSTILE, leaks

SCHEMES = ["", "rtsp://", "RTSP://", "https://", "s3://", "mqtt://", "ray://", "simplecache::s3://", "foo://", "http:/"]
TAILS = ["9.9.9.9", "9.9.9.9:554/1", "[9::9]:8/2", ""]
MISLEADING = st.sampled_from("/#?@ :[]%\\\n\t&;=\"'<>é\udcff")
LOGINS = st.text(st.characters(exclude_categories=()) | MISLEADING | st.sampled_from("secret"), min_size=1, max_size=40)


def grams(text: str, size: int = 4) -> set[str]:
    return {text[start : start + size] for start in range(len(text) - size + 1)}


@given(st.sampled_from(SCHEMES), LOGINS, st.sampled_from(TAILS))
def test_no_four_letters_before_the_last_at_sign_are_left(scheme, login, tail):
    assume(not re.match(r"\s*([a-z0-9]+::)*[a-z0-9]+:[/\\]", login, re.IGNORECASE))  # else it is the scheme
    address = f"{scheme}{login}@{tail}"
    left = grams(shown(address)) - grams(f"{scheme}…@{tail}") - grams(f"{scheme}{tail}")
    assert not left & (grams(login) | grams(unquote(login, errors="replace")))
    assert shown(address).isprintable()
    assert shown(shown(address)) == shown(address)


@given(LOGINS, st.sampled_from(TAILS[:3]))
def test_what_a_library_says_of_an_address_is_said_without_its_secret(login, tail):
    user, _, password = login.partition(":")
    forms = [login, user, password, quote(password.encode("utf-8", "surrogatepass")), repr(login), login.upper()]
    forms += [base64.b64encode(login.encode("utf-8", "replace")).decode()]
    public = " is what it said of ; "
    said = scrubbed(public.join(forms), f"rtsp://{login}@{tail}")
    for part in (login, user, password):
        if len(part) >= 4 and part.casefold() not in public:
            assert part not in said


@given(st.sampled_from(SCHEMES), LOGINS, st.sampled_from(TAILS[:3]))
def test_a_sentence_about_an_argument_holds_none_of_it(scheme, login, tail):
    address = f"{scheme}{login}@{tail}"
    assume(":" in login or "://" in scheme)
    assume(not re.match(r"\s*([a-z0-9]+::)*[a-z0-9]+:[/\\]", login, re.IGNORECASE))
    said = without_secrets(f"cannot read {address}: there is none", address)
    assert not (grams(said) - grams(f"cannot read {scheme}…@{tail}: there is none")) & grams(login)


@given(LOGINS)
def test_a_misreading_names_single_characters_alone(login):
    clause = misreading(f"rtsp://{login}@9.9.9.9/x") or ""
    named = re.findall(r'"(.)"', clause)[clause.startswith("if ") :]
    escaped = [unquote(escape) for escape in re.findall(r"%[0-9A-F]{2}", clause)]
    assert named == [letter for letter in escaped if letter.isprintable()]
    assert not any(letter.isalnum() for letter in named)
    fixed = "".join(letter if letter.isalnum() and letter.isascii() else "%41" for letter in login)
    assert misreading(f"rtsp://{fixed}@9.9.9.9/x") is None
    assert not is_misread(f"rtsp://{fixed}@9.9.9.9/x")


@pytest.mark.parametrize("address", HOSTILE)
def test_a_hostile_address_is_shown_without_its_markers(address):
    assert leaks(shown(address)) == []
    assert leaks(without_secrets(f"cannot use {address}: no", address)) == []
    try:
        HTTPConnection(urlsplit(address).netloc)
        urlsplit(address).port  # noqa: B018
    except (ValueError, InvalidURL) as error:
        assert leaks(scrubbed(str(error), address)) == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("rtsp://user:word@camera.lan:554/live?key=1", "rtsp://camera.lan:554/live?key=…"),
        ("http://camera/video.mjpg", "http://camera/video.mjpg"),
        ("https://museum.example/iiif/3/a%2Fb/full/max/0/default.jpg?id=5#xywh=1,2,3,4", None),
        ("rtsp://admin:pa/word@10.0.0.1:9/x", "rtsp://…@10.0.0.1:9/x"),
        ("admin:word@10.0.0.1/x", "…@10.0.0.1/x"),
        ("https://museum.example/@painter/1.jpg", "https://…@painter/1.jpg"),
        ("http://cam/user=me_password=word_channel=1.sdp?real", "http://cam/user=…"),
        ("https://m/1.jpg?page=2&sig=a&b/c&size=3", "https://m/1.jpg?page=2&sig=…&size=3"),
        ("https://m/1.jpg?design=2&keyword=sea&author=me&compass=n&message=2", None),
        ("rtsp://admin:word/x", "rtsp://…"),
        ("rtsp://[fe80::1]:554/x", None),
        ("s3://bucket/folder", None),
    ],
)
def test_what_is_no_secret_is_shown(address, expected):
    assert shown(address) == (address if expected is None else expected)


def test_an_at_sign_that_is_no_login_is_known(tmp_path):
    assert not keeps_secret("https://museum.example/@painter/1.jpg")
    assert not keeps_secret("https://museum.example/find?mail=me@museum.example")
    assert not keeps_secret("https://museum.example:8443/@painter/1.jpg")
    assert keeps_secret("rtsp://admin:12/word@10.0.0.1:554/x")
    assert not is_misread("rtsp://camera:554/live@1.5")
    assert without_secrets("see https://museum.example/@painter: done") == "see https://museum.example/@painter: done"
    sea = tmp_path / "10:30 me@sea.jpg"
    assert shown_place(tmp_path / "sea@2x.png") == f"{tmp_path}/sea@2x.png"
    assert leaks(shown_place("adm1n:s3cret@sea")) == []
    sea.touch()
    assert shown_place(sea) == str(sea)


@pytest.mark.parametrize(
    ("address", "clause"),
    [
        ("rtsp://admin:pa/word@h", 'the password in its address contains "/", which must be written as %2F'),
        (
            "rtsp://admin:p#?@h",
            'the password in its address contains "#" and "?", which must be written as %23 and %3F',
        ),
        ("rtsp://ad[min:word@h", 'the user name in its address contains "[", which must be written as %5B'),
        ("rtsp://admin:100%@h", 'the password in its address contains "%", which must be written as %25'),
        ("rtsp://admin:a@b@h", 'the password in its address contains "@", which must be written as %40'),
        ("rtsp://admin:word%40h", 'the "@" before the host must be written as it is, not as %40'),
        (
            "rtsp://h:554/live@1",
            'if what stands before the last "@" of its address is a password, "/" must be written as %2F',
        ),
        ("rtsp://admin:a%2Fb:c!$&'()*+,;=-._~@h", None),
        ("rtsp://h/x", None),
    ],
)
def test_the_character_to_escape_is_named(address, clause):
    assert misreading(address) == clause


def test_the_host_is_what_stands_after_the_last_at_sign():
    assert host_and_port("rtsp://admin:pa/word@10.0.0.1:9/x") == ("10.0.0.1", 9)
    assert host_and_port("rtsp://a:b@[::1]:8554/x") == ("::1", 8554)
    assert host_and_port("http://cam.lan/x") == ("cam.lan", None)
    assert host_and_port("rtsp://a:b@/x") == ("", None)
