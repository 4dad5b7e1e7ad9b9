"""The certificate of https and its key: whether both can be used, together, today."""

from __future__ import annotations

import re
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from a2m_edge.errors import OptionError

SOON = 30 * 86400.0
"""Seconds before a certificate's end from which on it is said: certificates that renew themselves have done so then."""

_LARGEST_FILE = 1 << 20
_CERTIFICATE, _END = "-----BEGIN CERTIFICATE-----", "PRIVATE KEY-----"
_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h, for which Python has no name."""

_DISAGREEING = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH")


@dataclass(frozen=True)
class Certificate:
    """A certificate that works with its key.

    Attributes:
        file: that holds it.
        begins, ends: seconds since 1970 between which browsers take it.
    """

    file: Path
    begins: float
    ends: float

    def valid(self, now: float) -> bool:
        """Whether browsers take it at this time, in seconds since 1970."""
        return self.begins <= now <= self.ends

    def remark(self, now: float) -> str | None:
        """What is to be said of its time: it has ended, has not begun, or ends soon; None where all is well."""
        if now > self.ends:
            return f"the certificate {self.file} expired on {_day(self.ends)}: renew it, browsers refuse the pages"
        if now < self.begins:
            return (
                f"the certificate {self.file} is valid from {_day(self.begins)} on and today is {_day(now)}: set the"
                " clock of this computer, or wait"
            )
        if self.ends - now < SOON:
            return f"the certificate {self.file} expires on {_day(self.ends)}: renew it before"
        return None


def load_certificate(certificate: Path | None, key: Path | None) -> Certificate | None:
    """Proves that a certificate and a key are there, readable, and made for each other; None where none is wanted.

    Args:
        certificate: PEM file of the certificate, that of the server first.
        key: PEM file of its key; None where the first file holds it too.

    Raises:
        OptionError: naming the file, what is wrong with it, and the way out.
    """
    if certificate is None:
        if key is not None:
            raise OptionError(f"web.key is {key} and there is no web.certificate: give both, or neither for plain http")
        return None
    text = _read(certificate, "certificate")
    if _CERTIFICATE not in text:
        found = "a key" if _END in text else "no PEM certificate"
        raise OptionError(
            f"{certificate} holds {found}: web.certificate is a PEM file with a line {_CERTIFICATE}"
            + (", and web.key the other one" if found == "a key" else "")
        )
    secret = text if key is None else _read(key, "key")
    place = certificate if key is None else key
    if f" {_END}" not in secret:
        raise OptionError(
            f"{place} holds no private key: web.key is the PEM file with the line -----BEGIN {_END}, which was made"
            " with the certificate"
        )
    if "ENCRYPTED" in secret:
        raise OptionError(
            f"the key {place} is encrypted and nobody is there to type its password: store it without one, by  openssl"
            f" pkey -in {place} -out plain.pem  , and let no other user read it"
        )
    return _proven(certificate, place, text)


def _proven(certificate: Path, key: Path, text: str) -> Certificate:
    """Shakes hands in memory, as a browser does that trusts this very certificate, at any time."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    try:
        client.load_verify_locations(cadata=text[text.index(_CERTIFICATE) :])
    except (ssl.SSLError, ValueError) as error:
        raise OptionError(f"the certificate {certificate} is damaged ({_reason(error)}): store it anew") from error
    try:
        server.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        if getattr(error, "reason", None) in _DISAGREEING:
            raise OptionError(
                f"the certificate {certificate} and the key {key} do not belong together: give the key with which the"
                " certificate was asked for, and in a chain the server's own certificate first"
            ) from error
        raise OptionError(
            f"the certificate {certificate} and the key {key} cannot be used ({_reason(error)}): make them anew"
        ) from error
    try:
        seen = _shake_hands(client, server)
    except ssl.SSLError as error:
        raise OptionError(
            f"the certificate {certificate} is none for a server ({_reason(error)}): ask for one for the pages' name"
        ) from error
    return Certificate(
        certificate, ssl.cert_time_to_seconds(str(seen["notBefore"])), ssl.cert_time_to_seconds(str(seen["notAfter"]))
    )


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> dict[str, object]:
    """What the client learns of the server's certificate."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        client.wrap_bio(back, there, server_hostname=None),
        server.wrap_bio(there, back, server_side=True),
    )
    for _ in range(10):
        waiting = 0
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                waiting += 1
        if not waiting:
            break
    return dict(sides[0].getpeercert() or {})


def _read(file: Path, what: str) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise OptionError(
            f"the {what} {file} of the pages cannot be read ({error.strerror or error}): check its name and who may"
            " read it"
        ) from error
    if not content.strip():
        raise OptionError(f"the {what} {file} of the pages is empty: store it anew")
    if len(content) > _LARGEST_FILE:
        raise OptionError(f"the {what} {file} of the pages is above 1 MiB: it is another file")
    if content.startswith(b"\x30") and b"-----BEGIN" not in content:
        raise OptionError(
            f"the {what} {file} of the pages is in the form DER or PKCS#12: turn it into PEM, by  openssl"
            f" {'x509' if what == 'certificate' else 'pkey'} -inform der -in {file} -out {file.with_suffix('.pem')}"
            f"  or  openssl pkcs12 -in {file} -nodes"
        )
    return content.decode("ascii", "replace")


def _no_password() -> str:
    """Instead of asking at the terminal, at which nobody sits."""
    raise ValueError("it is encrypted")


def _reason(error: Exception) -> str:
    said = getattr(error, "verify_message", None) or getattr(error, "reason", None) or str(error)
    return re.sub(r"^\[.*?\] |\s*\(_ssl\.c:\d+\)", "", said).lower().replace("_", " ")


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
