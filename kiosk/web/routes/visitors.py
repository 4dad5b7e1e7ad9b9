"""What visitors' pages ask for and send."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from a2m_edge.errors import CommentError, DeviceError
from a2m_edge.explanation.words import LANGUAGES, sentences
from kiosk.shared.settings import WebSettings
from kiosk.web.access.answers import Problem, RefusedError
from kiosk.web.access.hosts import Address, network_key
from kiosk.web.access.pairing import Pairing, code_picture
from kiosk.web.access.rates import Allowance, Rate, TooOftenError
from kiosk.web.exhibit.comments import LONGEST_COMMENT, PiledError, TooLongError
from kiosk.web.exhibit.exhibit import Exhibit
from kiosk.web.routes.languages import known_language, preferred_language
from kiosk.web.speech.speech_desk import LONGEST_SPEECH, BusyError, NotSpeechError, SpeechDesk

_PAIRING = Rate(10, 2.0), Rate(100, 0.1)
"""Attempts of one phone and of all together; the token is far too long to be guessed at any rate."""

_SOUND = {"requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}


class Token(BaseModel):
    """What the code beside the artwork holds."""

    model_config = ConfigDict(extra="forbid")
    token: Annotated[str, Field(min_length=1, max_length=512)]


class Comment(BaseModel):
    """What a visitor feels."""

    model_config = ConfigDict(extra="forbid")
    comment: Annotated[str, Field(min_length=1)]


class Heard(BaseModel):
    """A comment was taken: ``received`` comes again with the feeling that follows from it."""

    received: float


class WrittenDown(BaseModel):
    """What was understood of what a visitor said; nothing has been done with it yet."""

    text: str


class Visit(BaseModel):
    """What a page needs to know when it begins.

    Attributes:
        language: in which it greets.
        screen_languages: in which the exhibit's own screen greets one after the other; none on a phone.
        screen_seconds: that each of them is shown.
        comment_language: that the music understands best.
        longest_comment: most characters of a comment, as a person counts them.
        longest_speech: seconds that may be spoken at once; 0 where nobody listens to speech.
        own_screen: whether this is the exhibit's own screen, and no phone.
        joinable: whether there is a code for phones.
        sample_rate: of the sound (Hz).
        channels: of the sound.
        hop: samples from one mel column to the next.
        bands: mel bands of a column.
    """

    language: str
    screen_languages: list[str]
    screen_seconds: float
    comment_language: str
    longest_comment: int
    longest_speech: int
    own_screen: bool
    joinable: bool
    sample_rate: int
    channels: int
    hop: int
    bands: int


class Why(BaseModel):
    """Why the music is as it is: a sentence for each cause, strongest first."""

    sentences: list[str]


def visitors(exhibit: Exhibit, settings: WebSettings, pairing: Pairing, speech: SpeechDesk | None) -> APIRouter:
    """The routes that visitors need; ``speech`` writes down what they say, where it may be spoken."""
    attempts = Allowance(*_PAIRING)
    router = APIRouter(prefix="/api", responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}})

    @router.get("/visit")
    async def visit(request: Request) -> Visit:
        return Visit(
            language=greeting(request, settings),
            screen_languages=_screen_languages(request, settings),
            screen_seconds=settings.screen_seconds,
            comment_language=known_language(exhibit.comment_language) or exhibit.comment_language,
            longest_comment=LONGEST_COMMENT,
            longest_speech=LONGEST_SPEECH if speech is not None and speech.works else 0,
            own_screen=_address(request).own_screen,
            joinable=_join_address(request) is not None,
            sample_rate=exhibit.audio.sample_rate,
            channels=exhibit.audio.channels,
            hop=exhibit.audio.hop,
            bands=exhibit.audio.mel_bands,
        )

    @router.post("/pair", status_code=204, response_class=Response)
    async def pair(token: Token, request: Request) -> Response:
        try:
            attempts.take(visitor_key(request))
        except TooOftenError as error:
            raise RefusedError(429, "too-often", error.wait) from None
        response = Response(status_code=204)
        if not pairing.pair(token.token, response, _address(request).origin.startswith("https:")):
            raise RefusedError(403, "token")
        return response

    @router.post("/comment", status_code=202)
    async def comment(comment: Comment, request: Request) -> Heard:
        try:
            return Heard(received=exhibit.hear(comment.comment, visitor_key(request)))
        except TooLongError:
            raise RefusedError(400, "too-long") from None
        except PiledError:
            raise RefusedError(400, "piled") from None
        except CommentError:
            raise RefusedError(400, "comment") from None
        except TooOftenError as error:
            raise RefusedError(429, "too-often", error.wait) from None
        except DeviceError:
            raise RefusedError(503, "resting") from None

    @router.post("/speech", openapi_extra=_SOUND)
    async def said(request: Request, language: str = "") -> WrittenDown:
        if speech is None:
            raise RefusedError(404, "missing")
        try:
            text = await speech.write_down(await request.body(), language, visitor_key(request))
        except NotSpeechError:
            raise RefusedError(400, "form") from None
        except TooOftenError as error:
            raise RefusedError(429, "too-often", error.wait) from None
        except BusyError:
            raise RefusedError(503, "speech-busy") from None
        except DeviceError:
            raise RefusedError(503, "resting") from None
        if not text:
            raise RefusedError(400, "no-speech")
        return WrittenDown(text=text)

    @router.get("/why/{language}")
    async def why(language: str) -> Why:
        if language not in LANGUAGES:
            raise RefusedError(404, "missing")
        felt = exhibit.state().felt
        return Why(sentences=[] if felt is None else sentences(felt.why, language))

    @router.get("/artwork.jpg", responses=gives("image/jpeg"))
    async def artwork() -> Response:
        return picture_or_missing(exhibit.artwork())

    @router.get("/join.svg", responses=gives("image/svg+xml"))
    async def join(request: Request) -> Response:
        address = _join_address(request)
        if address is None:
            raise RefusedError(404, "missing")
        return Response(code_picture(address), media_type="image/svg+xml")

    def _join_address(request: Request) -> str | None:
        return pairing.join_address(request.url.scheme, request.scope["server"][1])

    return router


def greeting(request: Request, settings: WebSettings, of_visitors: bool = True) -> str:
    """The language in which a page greets.

    It is the first of the exhibit's own screen, or the one that somebody likes best.

    Args:
        request: that asks for it.
        settings: with languages.
        of_visitors: whether it is the visitors' page; the others greet everybody alike.
    """
    shown = _screen_languages(request, settings) if of_visitors else []
    return shown[0] if shown else preferred_language(request.headers.get("accept-language", ""), settings.language)


def _screen_languages(request: Request, settings: WebSettings) -> list[str]:
    if not _address(request).own_screen:
        return []
    return [known for tag in settings.screen_languages if (known := known_language(tag)) is not None]


def gives(media_type: str) -> dict[int | str, dict[str, Any]]:
    """What a route's description says of an answer that is a picture; refusals stay JSON."""
    return {200: {"content": {media_type: {"schema": {"type": "string", "format": "binary"}}}}}


def picture_or_missing(jpeg: bytes | None) -> Response:
    """A picture, or the refusal that says there is none."""
    if jpeg is None:
        raise RefusedError(404, "missing")
    return Response(jpeg, media_type="image/jpeg")


def visitor_key(request: Request) -> str:
    """What tells visitors apart; see ``kiosk.web.access.rates``."""
    return network_key(_address(request).visitor)


def _address(request: Request) -> Address:
    address: Address = request.scope["address"]
    return address
