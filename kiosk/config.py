"""Reading ``kiosk.toml``, the environment and the command line into settings."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import ipaddress
import json
import os
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from a2m_edge.addresses import scrubbed, shown, shown_place
from a2m_edge.errors import OptionError
from kiosk.shared.calibration import check_region
from kiosk.shared.settings import CameraSettings, MusicSettings, SpeakerSettings, WatchSettings, WebSettings
from kiosk.web.routes.languages import LANGUAGES, known_language

PREFIX = "A2M_KIOSK_"
"""Of the environment's options: ``A2M_KIOSK_CAMERA__SOURCE`` is ``source`` in ``[camera]``."""

_DELIMITER = "__"
_LARGEST_FILE = 1 << 20
_ORIGIN = re.compile(r"https?://([a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?")
_PREFIX = re.compile(r"(/(?!\.\.?(/|$))[A-Za-z0-9._~-]{1,100}){1,5}")
_OWN_PATHS = re.compile(r"/(api|calibrate|healthz|live|metrics|sound|staff|static)(/|$)")
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")  # of UTF-16, and of UTF-32 in the first order of bytes
_WIDTH = 110
_EXAMPLES: dict[str, object] = {
    "camera.region": [[0.2, 0.1], [0.8, 0.1], [0.8, 0.9], [0.2, 0.9]],
    "engine.bundle": "/srv/a2m-kiosk/bundle",
    "engine.threads": 2,
    "web.token": "sixteen letters or more",
    "web.pin_hash": "what a2m-edge kiosk pin prints",
    "web.certificate": "/etc/a2m-kiosk/certificate.pem",
    "web.key": "/etc/a2m-kiosk/key.pem",
}
"""Values to show for options that have none by default."""


class Settings(BaseSettings):
    """All options of the kiosk; made by ``load_settings``."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=_DELIMITER, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    camera: CameraSettings = CameraSettings()
    engine: MusicSettings = MusicSettings()
    speaker: SpeakerSettings = SpeakerSettings()
    web: WebSettings = WebSettings()
    watch: WatchSettings = WatchSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values come from the call alone: ``load_settings`` has merged and checked what it read elsewhere."""
        return (init_settings,)


def load_settings(file: Path | None = None, given: Mapping[str, Mapping[str, object]] | None = None) -> Settings:
    """The settings from a file, over it the environment (``A2M_KIOSK_…``), over that what was given.

    Args:
        file: a TOML file; None reads none.
        given: values by section and option, for example from the command line; None values are left out.

    Raises:
        OptionError: the file cannot be read, an option does not exist (the nearest one is named), a value is out of
            its range, or the pages would be open to the network without a pairing token.
    """
    values: dict[str, dict[str, object]] = {}
    for origin, source in (
        (shown_place(file or ""), _read(file) if file is not None else {}),
        ("the environment", _environment()),
        ("the command line", _without_none(given or {})),
    ):
        _refuse_unknown(source, origin)
        for section, options in source.items():
            values.setdefault(section, {}).update(options)
    try:
        settings = Settings(**values)  # type: ignore[arg-type]  # that is what it checks
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"] if not str(part).startswith(("function-", "literal")))
        raise OptionError(f"the option {name} of the kiosk is wrong: {_lowered(first['msg'])}") from None
    _check_way(settings.web)
    _check_exposure(settings.web)
    _check_language(settings.web)
    if settings.camera.region is not None:
        check_region(settings.camera.region)
    return settings


def example_file() -> str:
    """The text of ``deploy/kiosk.toml``: every option with its meaning and its default, commented out."""
    lines = [
        "# Options of  a2m-edge kiosk --config kiosk.toml",
        "#",
        "# Every option is shown with its default; take the # away and change what you need. Each can be given in the",
        "# environment as well, for example  A2M_KIOSK_WEB__PORT=8080  for  port  in  [web].",
    ]
    for section, options in _sections().items():
        meanings = _meanings(options)
        lines += ["", *_comment(_summary(options)), f"[{section}]"]
        for each in dataclasses.fields(options):
            value = _EXAMPLES[f"{section}.{each.name}"] if each.default is None else each.default
            lines += ["", *_comment(meanings[each.name]), f"#{each.name} = {_toml(value)}"]
    return "\n".join(lines) + "\n"


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach a server that listens on ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _sections() -> dict[str, type[Any]]:
    return {name: type(each.default) for name, each in Settings.model_fields.items()}


def _options() -> list[tuple[str, str]]:
    return [(section, each.name) for section, kind in _sections().items() for each in dataclasses.fields(kind)]


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise OptionError(f"{file} is above 1 MiB: that is no kiosk.toml")
    except OSError as error:
        raise OptionError(f"the options in {shown_place(file)} cannot be read: {error.strerror or error}") from error
    return _read_toml(_decoded(content, file), str(file))


def _decoded(content: bytes, file: Path) -> str:
    """UTF-8, which TOML is written in (https://toml.io/en/v1.0.0); Windows begins it with a mark."""
    if content.startswith(_WIDE_MARKS) or b"\0" in content[:4]:
        raise OptionError(f"{file} is UTF-16 or UTF-32 text, and TOML is UTF-8: save it anew with the encoding UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise OptionError(
            f"{file} is no UTF-8 text (line {line}), and TOML is: save it anew with the encoding UTF-8"
        ) from error


def _read_toml(text: str, origin: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"{origin} is no TOML: {_lowered(scrubbed(str(error)))}") from error
    except ValueError as error:  # Python reads no number of more than 4,300 digits
        raise OptionError(f"{origin} holds a number of too many digits: shorten it") from error
    except RecursionError:
        raise OptionError(f"{origin} is no TOML: it is nested too deep") from None


def _environment() -> dict[str, Any]:
    known = {f"{PREFIX}{section}{_DELIMITER}{name}".upper(): (section, name) for section, name in _options()}
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            hint = _nearest(name.upper(), {each: each for each in known})
            raise OptionError(f"there is no option {name} in the environment{hint}")
    values: dict[str, dict[str, Any]] = EnvSettingsSource(Settings)()
    for section, options in values.items():
        for name, value in options.items():
            if value.startswith("["):  # lists are written as in the file; the library reads them in models only
                options[name] = _read_toml(f"value = {value}", f"the option {section}.{name} in the environment")[
                    "value"
                ]
    return values


def _without_none(given: Mapping[str, Mapping[str, object]]) -> dict[str, Any]:
    return {
        section: {name: value for name, value in options.items() if value is not None}
        for section, options in given.items()
    }


def _refuse_unknown(source: Mapping[str, Any], origin: str) -> None:
    sections = {section: f"[{section}]" for section in _sections()}
    everywhere = {name: f"{section}.{name}" for section, name in _options()}
    for section, options in source.items():
        if section not in sections:
            raise OptionError(
                f"there is no option {shown(section)!r} in {origin}{_nearest(section, sections, everywhere)}"
            )
        if not isinstance(options, Mapping):
            raise OptionError(f"{section!r} in {origin} is a section: write [{section}] and its options below it")
        own = {name: f"{section}.{name}" for other, name in _options() if other == section}
        for name in options:
            if name not in own:
                raise OptionError(
                    f"there is no option {section}.{shown(name)} in {origin}{_nearest(name, own, everywhere)}"
                )


def _nearest(name: str, *places: Mapping[str, str]) -> str:
    """The hint that ends a sentence: what the first of ``places`` with a similar name shows for it."""
    for place in places:
        if found := difflib.get_close_matches(name, place, n=1):
            return f": did you mean {place[found[0]]}?"
    return ": see deploy/kiosk.toml for all of them"


def _check_exposure(web: WebSettings) -> None:
    for name in (web.host, *web.names):
        if shown(name) != name:
            raise OptionError(
                f"{shown(name)} in web.host or web.names is no host: write the name or the numbers of one"
            )
    proxied = next((name for name in web.names if "://" in name), None)
    if web.token is None and (proxied is not None or not is_loopback(web.host)):
        what = f"listening on {web.host}" if proxied is None else f"the name {proxied} in web.names"
        raise OptionError(
            f"{what} opens the pages to the network: give web.token a pairing token of 16 characters or more, or"
            f" {'listen on 127.0.0.1' if proxied is None else 'leave the name out'}"
        )


def _check_language(web: WebSettings) -> None:
    wanted = [("language", web.language), *(("screen_languages", each) for each in web.screen_languages)]
    for option, language in wanted:
        if known_language(language) is None:
            raise OptionError(
                f"the option web.{option} of the kiosk is wrong: the pages have no texts in {shown(language)!r}, but"
                f" in {', '.join(LANGUAGES)}"
            )


def _check_way(web: WebSettings) -> None:
    """Refuses names and a prefix that no browser could ask for."""
    for name in web.names:
        if "/" in name and not _ORIGIN.fullmatch(name.lower()):
            raise OptionError(
                f"the option web.names of the kiosk is wrong: {shown(name)!r} is neither a host name nor an address"
                " such as https://museum.example, and a path belongs into web.prefix"
            )
    if web.prefix and (not _PREFIX.fullmatch(web.prefix) or _OWN_PATHS.match(web.prefix)):
        raise OptionError(
            f"the option web.prefix of the kiosk is wrong: {shown(web.prefix)!r} is no path such as /art, of letters,"
            " digits and -._~ that begins with / and does not end in it, and that the pages do not use themselves"
        )


def _summary(options: type[Any]) -> str:
    return (inspect.getdoc(options) or "").split("\n", 1)[0]


def _meanings(options: type[Any]) -> dict[str, str]:
    """The texts of the options, from the section ``Attributes:`` of their class."""
    return dict(_attributes(inspect.getdoc(options) or ""))


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    entries = re.split(r"^ {4}(\w+): ", text.split("Attributes:\n", 1)[-1], flags=re.MULTILINE)[1:]
    for name, meaning in zip(entries[::2], entries[1::2], strict=True):
        yield name, " ".join(meaning.split())


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")


def _toml(value: object) -> str:
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, tuple):
        value = list(value)
    return json.dumps(value, ensure_ascii=False)  # JSON's strings, numbers, booleans and lists are TOML's as well


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
