"""Certificate and key of https: both are tried before anything starts, and every mistake has a sentence of its own."""

from __future__ import annotations

import calendar
import ssl
import subprocess
import urllib.request
from pathlib import Path

import pytest

from a2m_edge.errors import OptionError
from kiosk.shared.certificates import SOON, load_certificate
from kiosk.shared.settings import WebSettings
from kiosk.web.app import create_app
from kiosk.web.server import Server
from tests.fixtures.exhibit.certificates import Certificates
from tests.fixtures.exhibit.exhibit import LONG, RunningExhibit
from tests.fixtures.exhibit.small_exhibit import SmallExhibit, serving
from tests.fixtures.places import EXAMPLES, PROGRAM

DAY = 86400.0


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder of certificates and keys, good ones and others."""
    folder: Path = tmp_path_factory.mktemp("certificates")
    certificates = Certificates(folder)
    key, other = certificates.key("key.pem"), certificates.key("other.key")
    good = certificates.certificate("good.pem", key)
    stranger = certificates.certificate("stranger.pem", other)
    certificates.certificate("expired.pem", key, ends="20210203")
    certificates.certificate("client.pem", key, use="client")
    certificates.openssl("pkey", "-in", "key.pem", "-aes128", "-passout", "pass:secret", "-out", "locked.pem")
    certificates.openssl("ec", "-in", "key.pem", "-aes128", "-passout", "pass:secret", "-out", "locked_old.pem")
    certificates.openssl("x509", "-in", "good.pem", "-outform", "der", "-out", "good.der")
    certificates.openssl("pkey", "-in", "key.pem", "-outform", "der", "-out", "key.der")
    certificates.openssl(
        "pkcs12", "-export", "-in", "good.pem", "-inkey", "key.pem", "-passout", "pass:secret", "-out", "both.p12"
    )
    (folder / "both.pem").write_text(good.read_text() + key.read_text())
    (folder / "chain.pem").write_text(good.read_text() + stranger.read_text())
    (folder / "wrong_chain.pem").write_text(stranger.read_text() + good.read_text())
    (folder / "windows.pem").write_bytes(b"\xef\xbb\xbf" + good.read_bytes().replace(b"\n", b"\r\n"))
    (folder / "cut.pem").write_text(good.read_text()[:300])
    (folder / "cut.key").write_text(key.read_text()[:90] + "\n-----END EC PRIVATE KEY-----\n")
    (folder / "altered.pem").write_text(good.read_text().replace("M", "#"))
    (folder / "text.pem").write_text("the certificate is in the safe\n")
    (folder / "empty.pem").write_text(" \n")
    (folder / "noise.pem").write_bytes(bytes(range(1, 256)) * 4)
    (folder / "large.pem").write_bytes(b"\n" * (1 << 20) + good.read_bytes())
    (folder / "folder.pem").mkdir()
    return folder


@pytest.mark.parametrize("certificate", ["good.pem", "chain.pem", "both.pem", "windows.pem"])
def test_a_pair_that_belongs_together_is_taken_and_its_time_is_read(made, certificate):
    found = load_certificate(made / certificate, None if certificate == "both.pem" else made / "key.pem")
    assert found is not None
    assert found.begins == calendar.timegm((2020, 1, 1, 0, 0, 0))
    assert found.ends == calendar.timegm((2045, 1, 1, 0, 0, 0))
    assert found.remark(found.ends - SOON - DAY) is None


def test_without_a_certificate_the_pages_are_plain(made):
    assert load_certificate(None, None) is None
    with pytest.raises(OptionError, match=r"there is no web.certificate: give both"):
        load_certificate(None, made / "key.pem")


@pytest.mark.parametrize(
    ("certificate", "key", "sentence"),
    [
        ("good.pem", "other.key", "do not belong together"),
        ("wrong_chain.pem", "key.pem", "do not belong together.*in a chain the server's own certificate first"),
        ("good.pem", "locked.pem", "locked.pem is encrypted .* openssl pkey -in"),
        ("good.pem", "locked_old.pem", "locked_old.pem is encrypted"),
        ("nowhere.pem", "key.pem", r"the certificate .*nowhere.pem of the pages cannot be read \(No such file"),
        ("good.pem", "nowhere.key", r"the key .*nowhere.key of the pages cannot be read \(No such file"),
        ("folder.pem", "key.pem", "folder.pem of the pages cannot be read .Is a directory"),
        ("good.pem", "folder.pem", "folder.pem of the pages cannot be read .Is a directory"),
        ("good.der", "key.pem", "good.der .* DER or PKCS#12.* openssl x509 -inform der"),
        ("good.pem", "key.der", "key.der .* DER or PKCS#12.* openssl pkey -inform der"),
        ("both.p12", "key.pem", "both.p12 .* openssl pkcs12"),
        ("text.pem", "key.pem", "text.pem holds no PEM certificate"),
        ("noise.pem", "key.pem", "noise.pem holds no PEM certificate"),
        ("good.pem", "text.pem", "text.pem holds no private key"),
        ("good.pem", "good.pem", "good.pem holds no private key"),
        ("good.pem", None, "good.pem holds no private key"),
        ("key.pem", "good.pem", "key.pem holds a key.*and web.key the other one"),
        ("empty.pem", "key.pem", "empty.pem of the pages is empty"),
        ("good.pem", "empty.pem", "empty.pem of the pages is empty"),
        ("cut.pem", "key.pem", "cut.pem is damaged"),
        ("altered.pem", "key.pem", "altered.pem is damaged"),
        ("good.pem", "cut.key", "cut.key cannot be used"),
        ("large.pem", "key.pem", "above 1 MiB"),
        ("client.pem", "key.pem", "client.pem is none for a server"),
    ],
)
def test_every_mistake_has_its_sentence(made, certificate, key, sentence):
    with pytest.raises(OptionError, match=sentence) as refused:
        load_certificate(made / certificate, None if key is None else made / key)
    assert "\n" not in str(refused.value)
    assert "_ssl.c" not in str(refused.value)


@pytest.mark.parametrize(
    ("day", "remark"),
    [
        ((2019, 12, 31), "valid from 2020-01-01 on and today is 2019-12-31"),
        ((2020, 1, 2), None),
        ((2044, 12, 1), None),
        ((2044, 12, 3), "expires on 2045-01-01: renew it before"),
        ((2045, 1, 1), "expires on 2045-01-01"),
        ((2045, 1, 2), "expired on 2045-01-01"),
    ],
)
def test_its_time_is_told(made, day, remark):
    found = load_certificate(made / "good.pem", made / "key.pem")
    assert found is not None
    now = calendar.timegm((*day, 0, 0, 0))
    said = found.remark(now)
    assert (said is None) if remark is None else (said is not None and remark in said)
    assert found.valid(now) == (said is None or "expires" in said)


def test_the_server_refuses_a_pair_in_a_sentence_and_serves_one_that_is_well(made):
    settings = WebSettings(port=0, certificate=made / "good.pem", key=made / "key.pem")
    exhibit = SmallExhibit(settings)
    try:
        wrong = WebSettings(port=0, certificate=made / "good.pem", key=made / "other.key")
        with pytest.raises(OptionError, match="do not belong together"):
            Server(create_app(exhibit, wrong), wrong)
        with serving(exhibit, settings) as server:
            trusting = ssl.create_default_context(cafile=str(made / "good.pem"))
            trusting.check_hostname = False
            trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            with urllib.request.urlopen(f"https://127.0.0.1:{server.port}/healthz", context=trusting) as answer:
                assert answer.status == 200
    finally:
        exhibit.close()


@pytest.mark.parametrize("command", [("kiosk",), ("kiosk", "calibrate")])
def test_the_exhibit_does_not_start_with_a_pair_that_cannot_serve(made, tmp_path, tiny_bundle, command):
    (tmp_path / "kiosk.toml").write_text(
        f'[engine]\nbundle = "{tiny_bundle.path}"\n[speaker]\ndevice = "none"\n'
        f'[web]\ncertificate = "{made}/good.pem"\nkey = "{made}/locked.pem"\nport = 0\n'
    )
    line = [str(PROGRAM), *command, "--config", "kiosk.toml", "--camera", str(EXAMPLES)]
    done = subprocess.run(
        line, cwd=tmp_path, capture_output=True, text=True, timeout=LONG, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 2
    assert "is encrypted and nobody is there to type its password" in done.stderr
    assert "Traceback" not in done.stderr
    assert "http" not in done.stderr.replace("https", "")  # it does not say that the pages are open


@pytest.mark.realtime
def test_the_exhibit_plays_behind_a_certificate_that_has_expired_and_says_so(made, tmp_path, tiny_bundle):
    options = f'[web]\ncertificate = "{made}/expired.pem"\nkey = "{made}/key.pem"\n'
    command = ("kiosk", "calibrate")
    careless = ssl.create_default_context()
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    with RunningExhibit(tmp_path, bundle=tiny_bundle.path, options=options, command=command) as exhibit:

        def answers() -> bool:
            try:
                with urllib.request.urlopen(f"https://127.0.0.1:{exhibit.port}/calibrate", context=careless) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        assert exhibit.until(answers), exhibit.log
        assert "WARNING" in exhibit.log.split("expired on 2021-02-03")[0]
