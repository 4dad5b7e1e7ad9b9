"""Addresses as they may be shown. What keeps a secret in one (user name, password, token) is told to nobody.

An address that people write by hand parses badly: a password with ``/``, ``#`` or ``?`` in it becomes half a host and
half a path (RFC 3986, 3.2). So nothing here trusts a parser: what stands before the last ``@`` is never shown.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "…"
"""What stands for what is not shown."""

_CHAINED = "(?:(?:simplecache|filecache|blockcache|cached|zip|tar|libarchive|dir|dask|reference)::)*"
_WEB = "https?|wss?|rtsp[stu]?|rtmp[st]?|ftps?|mqtts?|ray"
_OTHER = (
    "file|local|memory|s3[an]?|gs|gcs|abfss?|az|adl|wasbs?|oss|oci|obs|r2|hdfs|webhdfs|hf|github|gitlab|git|ssh|scp|sftp"
    "|smb|dav|webdavs?|dropbox|box|gdrive|dbfs|lakefs|root|rtp|udp|tcp|tls|amqps?|srt|mms|mmsh|onvif|grpc|redis|socks5h?"
)
_KNOWN = re.compile(rf"\s*{_CHAINED}(?:{_WEB}|{_OTHER}):(?:/{{1,3}}|\\\\)", re.IGNORECASE)
"""Beginnings of addresses that are shown: no user name looks like one. Of two slashes a path has kept one."""

_NETWORK = re.compile(rf"\s*(?:{_WEB})://?", re.IGNORECASE)
_SCHEME = re.compile(r"\s*[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_AT = re.compile("[@\uff20\ufe6b]|%(?:25)*40")
"""An at sign, also as compatibility characters that parsers take for it (UTS 46), and escaped by mistake."""

_HOST = re.compile(r"(?:\[[^\[\]@]*\]|[^:\[\]@\s]*)(?::\d*)?|[0-9a-f:.]+", re.IGNORECASE)
_LONGEST_NAME = 80
_NAME = re.compile(r"[\w.%\[\]-]+[\"']?\s*\Z")
_SECRET_NAME = re.compile(
    r"(?<!com)pass(?!age)|pwd|secret|token|signature|credential|session|usr|user|login|jwt|hmac|access[-_]?id"
    r"|auth(?!ors?(?![a-z]))|key(?!word)|(?<![a-z])(?:sig|pin|otp|sas|pw|psw|pas|sid|uid|cred)(?![a-z])",
    re.IGNORECASE,
)
_NEXT_NAME = re.compile(r"[&;][\w.%\[\]-]{1,80}=")
_WORD = re.compile(r"\s*(?:\"[^\"]*\"?|'[^']*'?|[^\s&;,\"']*)")
_IN_TEXT = re.compile(
    r"(?<![a-z0-9+.:-])(?P<address>[a-z][a-z0-9+.:-]*:/{1,2}\S+)"
    r"|(?<![^\s:/@\"'(=])[^\s:/@\"'(=]{1,256}:(?!/)[^\s@]{0,256}@(?=[\w\[])",
    re.IGNORECASE,
)
"""Addresses, and logins without a scheme, as far as the next blank."""

_HEADER = re.compile(r"(authorization[\"']?\s*[:=]\s*).*", re.IGNORECASE)
_BETWEEN_PIECES = re.compile(r"[\s/#?@:\[\]\\%&;=\"'<>]+")
_LONG_PIECE = 4
_SAFE = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2}")
"""What stands in a user name or a password as it is (RFC 3986, 3.2.1)."""


def shown(address: str) -> str:
    """An address as it may be printed, logged and stored, however badly it parses; on one line.

    Nothing before its last at sign is left but a scheme that is known, nor the value of anything in its query or path
    that is called like a secret (``token=``, ``X-Amz-Signature=``). Where more may have been left out than a user name
    and a password, as in ``https://host/@name``, the sign ``…`` stands in their place.
    """
    prefix, rest = _split(address, _KNOWN)
    signs = list(_AT.finditer(rest))
    if signs:
        end = signs[-1].end()
        plain = prefix and end <= len(_authority(rest)) and rest[: signs[-1].start()] != HIDDEN
        text = f"{prefix}{'' if plain else f'{HIDDEN}@'}{_without_values(rest[end:])}"
    elif _is_halved(prefix, rest):
        text = f"{prefix}{HIDDEN}"
    else:
        text = _without_values(address)
    return "".join(letter if letter.isprintable() else " " for letter in text)


def shown_place(place: str | os.PathLike[str]) -> str:
    """What may be an address or a path of this computer, as it may be printed: a path stays as it is."""
    text = os.fspath(place)
    return shown(text) if is_like_address(text) and not _exists(text) else text


def is_like_address(text: str) -> bool:
    """Whether there is a scheme in a text, or a colon before an at sign, as in ``user:word@host`` without one."""
    if _KNOWN.match(text) or "://" in text:
        return True
    found = _AT.search(text)
    return found is not None and ":" in text[: found.start()]


def keeps_secret(address: str) -> bool:
    """Whether an address very likely holds a user name, a password or a token; ``https://host/@name`` does not."""
    prefix, rest = _split(address, _KNOWN, _SCHEME)
    authority = _authority(rest)
    halved = _is_halved(prefix, rest) or is_misread(address)
    parts = _AT.split(rest)
    second_host = ":" in authority and len(parts) > 1 and re.search(r"[.:\]]", _authority(parts[-1]))
    return bool(_AT.search(authority) or halved or second_host or next(_secret_names(rest), None))


def is_misread(address: str) -> bool:
    """Whether parsers certainly take a part of user name or password for the host."""
    _, rest = _split(address, _KNOWN, _SCHEME)
    authority = _authority(rest)
    halved = _AT.search(rest) is not None and not _HOST.fullmatch(authority)
    return "@" not in authority and (halved or _AT.search(authority) is not None)


def misreading(address: str) -> str | None:
    """Why user name and password are not understood as they stand in an address, and how they must be written.

    Returns:
        A clause that names characters and nothing else of the secret, or None where all is well.
    """
    _, rest = _split(address, _KNOWN, _SCHEME)
    secret, at, _ = rest.rpartition("@")
    if not at:
        escaped = _AT.search(_authority(rest))
        return None if escaped is None else f'the "@" before the host must be written as it is, not as {escaped[0]}'
    user, _, password = secret.partition(":")
    where, letters = ("password", _unescaped(password)) if _unescaped(password) else ("user name", _unescaped(user))
    if not letters:
        return None
    words = " and ".join(f'"{letter}"' if letter.isprintable() else "a control character" for letter in letters)
    escapes = " and ".join(quote(letter, safe="") for letter in letters)
    if "@" not in _authority(rest) and not is_misread(address):
        return f'if what stands before the last "@" of its address is a {where}, {words} must be written as {escapes}'
    return f"the {where} in its address contains {words}, which must be written as {escapes}"


def host_and_port(address: str) -> tuple[str, int | None]:
    """Host and port of what stands after the last at sign of an address; an empty host where none is understood."""
    _, rest = _split(address, _KNOWN, _SCHEME)
    place = _authority(_AT.split(rest)[-1])
    match = re.fullmatch(r"\[([^\]]*)\](?::(\d{1,5}))?|([^:]*)(?::(\d{1,5}))?", place)
    if match is None:
        return "", None
    port = match[2] or match[4]
    return match[1] or match[3] or "", int(port) if port else None


def scrubbed(text: str, *addresses: str) -> str:
    """What a library says, without what these addresses keep secret, whole or in parts, escaped or not.

    See ``without_secrets`` for the addresses that are not named here.
    """
    for address in addresses:
        for whole in _longest_first({*_written(address), address.strip(), unquote(address)}):
            text = text.replace(whole, shown(whole))
        for form in _longest_first({form for part in _parts(_secret(address)) for form in _forms(part)}):
            pattern = re.escape(form) if len(form) >= _LONG_PIECE else rf"(?<!\w){re.escape(form)}(?!\w)"
            text = re.sub(pattern, HIDDEN, text, flags=re.IGNORECASE)
    return without_secrets(_HEADER.sub(rf"\g<1>{HIDDEN}", text))


def without_secrets(text: str, *arguments: str) -> str:
    """A sentence without the secrets of the addresses that stand in it, as far as blanks do not hide where they end.

    Args:
        text: words of this program; for those of a library see ``scrubbed``.
        arguments: of the command line. What stands before the last at sign of one that is like an address is left out
            wherever it stands so in the text, blanks and all.
    """
    for argument in arguments:
        values = {argument, argument[2:], argument.partition("=")[2]} if argument[:1] == "-" else {argument}
        for value in filter(is_like_address, values):
            for form in _longest_first({*_written(_secret(value)), _secret(os.fspath(Path(value)))}):
                text = text.replace(f"{form}@", f"{HIDDEN}@")
    text = _IN_TEXT.sub(_shown_in_text, text)
    parts, end = [], 0
    for start in _secret_names(text):
        if start >= end and (word := _WORD.match(text, start)) and word[0].strip():
            parts += [text[end:start], HIDDEN]
            end = word.end()
    return "".join([*parts, text[end:]])


def _split(address: str, *beginnings: re.Pattern[str]) -> tuple[str, str]:
    """The scheme of an address with what ends it, where one of the beginnings fits, and the rest."""
    end = next((found.end() for pattern in beginnings if (found := pattern.match(address))), 0)
    return address[:end], address[end:]


def _authority(rest: str) -> str:
    return re.split(r"[/?#\\]", rest, maxsplit=1)[0]


def _is_halved(prefix: str, rest: str) -> bool:
    """Whether host and port of an address of the network can be none."""
    return _NETWORK.match(prefix) is not None and not _HOST.fullmatch(_authority(rest))


def _secret(address: str) -> str:
    """What stands before the last at sign, without a scheme that is known, or where that should be in one without."""
    prefix, rest = _split(address, _KNOWN)
    if signs := list(_AT.finditer(rest)):
        return rest[: signs[-1].start()]
    return _authority(rest) if _is_halved(prefix, rest) else ""


def _shown_in_text(found: re.Match[str]) -> str:
    if found["address"] is None:
        return f"{HIDDEN}@"
    return shown(found[0]) if keeps_secret(found[0]) else found[0]


def _secret_names(text: str) -> Iterator[int]:
    """Where a value begins whose name tells that it is secret: after each such ``name=``."""
    for sign in re.finditer("=", text):
        name = _NAME.search(text, max(0, sign.start() - _LONGEST_NAME), sign.start())
        if name and _SECRET_NAME.search(name[0]):
            yield sign.end()


def _without_values(rest: str) -> str:
    """What follows the at sign, without secret values: each ends before the next ``&name=``, or not at all."""
    parts, end = [], 0
    for start in _secret_names(rest):
        if start >= end:
            parts += [rest[end:start], HIDDEN]
            following = _NEXT_NAME.search(rest, start)
            end = following.start() if following else len(rest)
    return "".join([*parts, rest[end:]])


def _unescaped(text: str) -> list[str]:
    """The different characters of a user name or a password that mislead a parser, in their order."""
    return list(dict.fromkeys(letter for letter in _SAFE.sub("", text) if letter.isascii()))


def _parts(secret: str) -> set[str]:
    """A secret, the pieces into which parsers cut it, and what it becomes in a header (RFC 7617)."""
    plain = unquote(secret)
    parts = {part for text in (secret, plain) for part in (text, *text.split(":", 1), *_BETWEEN_PIECES.split(text))}
    parts |= {base64.b64encode(text.encode("utf-8", "replace")).decode("ascii") for text in (secret, plain)}
    return {part for part in parts if len(part) > 1}


def _forms(part: str) -> set[str]:
    whole = part.encode("utf-8", "surrogatepass")
    return {quote(whole, safe=""), quote_plus(whole), quote(whole), *_written(part)}


def _written(text: str) -> set[str]:
    """A text, and as it is written where what does not print is escaped."""
    control = re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: f"\\x{ord(found[0]):02x}", text)
    return {text, control, repr(text)[1:-1], text.encode("unicode_escape").decode("ascii")}


def _longest_first(texts: set[str]) -> list[str]:
    return sorted(filter(None, texts), key=lambda text: (-len(text), text))


def _exists(path: str) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:
        return False
