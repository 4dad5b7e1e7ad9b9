"""The pages as one application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from a2m_edge import __version__
from kiosk.shared.settings import WebSettings
from kiosk.web.access.answers import RefusedError, refusal
from kiosk.web.access.gate import Gate
from kiosk.web.access.pairing import Pairing
from kiosk.web.exhibit.exhibit import Exhibit
from kiosk.web.exhibit.hub import Hub
from kiosk.web.routes.languages import DIRECTIONS, LANGUAGES
from kiosk.web.routes.metrics import measured
from kiosk.web.routes.sessions import StaffSessions
from kiosk.web.routes.staff import staff
from kiosk.web.routes.visitors import greeting, visitors
from kiosk.web.sockets import sockets
from kiosk.web.speech.speech_desk import SpeechDesk

_STATIC = Path(__file__).parent / "static"
_PAGES = {"/": "visitors.html", "/staff": "staff.html", "/calibrate": "calibrate.html"}


def create_app(exhibit: Exhibit, settings: WebSettings) -> FastAPI:
    """Everything that the web server answers.

    Args:
        exhibit: what is shown and steered.
        settings: names, token, PIN and limits.

    Returns:
        an application to be served with ``kiosk.web.server.Server``; ``state.hub`` is its ``Hub``.

    Raises:
        MissingExtraError: visitors may speak, and what writes it down is not installed.
    """
    hub = Hub(exhibit, settings.listeners)
    pairing = Pairing(settings)
    speech = SpeechDesk(settings) if settings.speech else None

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        running = asyncio.create_task(hub.run())
        try:
            yield
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            if speech is not None:
                speech.close()

    app = FastAPI(title="a2m-edge kiosk", version=__version__, lifespan=lifespan, openapi_url=None)
    app.state.hub = hub
    app.add_middleware(Gate, settings=settings, pairing=pairing)
    _add_refusals(app)
    app.include_router(visitors(exhibit, settings, pairing, speech))
    app.include_router(staff(exhibit, hub, StaffSessions(settings.pin_hash, settings.prefix)))
    app.include_router(measured(exhibit, hub))
    app.include_router(sockets(hub))
    for path, file in _PAGES.items():
        _add_page(app, path, _prefixed((_STATIC / file).read_text(encoding="utf-8"), settings.prefix), settings)
    app.mount("/static", StaticFiles(directory=_STATIC))
    return app


def _add_refusals(app: FastAPI) -> None:
    @app.exception_handler(RefusedError)
    async def refuse(_: Request, error: RefusedError) -> JSONResponse:
        return refusal(error.status, error.error, error.wait)

    @app.exception_handler(RequestValidationError)
    async def refuse_form(_: Request, __: RequestValidationError) -> JSONResponse:
        return refusal(422, "form")  # FastAPI's own answer quotes what was sent

    @app.exception_handler(HTTPException)
    async def refuse_status(_: Request, error: HTTPException) -> JSONResponse:
        answer = refusal(error.status_code, {404: "missing", 405: "method"}.get(error.status_code, "form"))
        answer.headers.update(error.headers or {})
        return answer


def _prefixed(page: str, prefix: str) -> str:
    """A page whose addresses begin with the prefix; its scripts read it from ``data-prefix``."""
    return page.replace('href="/', f'href="{prefix}/').replace('src="/', f'src="{prefix}/')


def _add_page(app: FastAPI, path: str, page: str, settings: WebSettings) -> None:
    @app.get(path, response_class=HTMLResponse, include_in_schema=False)
    async def show(request: Request) -> Response:
        language = greeting(request, settings, of_visitors=path == "/")
        known = f'<html lang="{language}" dir="{DIRECTIONS[language]}" data-languages="{" ".join(LANGUAGES)}"'
        return HTMLResponse(page.replace('<html lang="en"', f'{known} data-prefix="{settings.prefix}"', 1))
