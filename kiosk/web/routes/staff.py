"""What the staff's pages ask for and set."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from a2m_edge.errors import OptionError, OutputError
from kiosk.shared.messages import Corner, Outline, PartName, PartState, Sounding, Steer
from kiosk.web.access.answers import Problem, RefusedError
from kiosk.web.access.rates import TooOftenError
from kiosk.web.exhibit.exhibit import ControlState, Exhibit
from kiosk.web.exhibit.hub import Hub
from kiosk.web.exhibit.view import seen_at
from kiosk.web.routes.sessions import StaffSessions
from kiosk.web.routes.visitors import gives, picture_or_missing

Share = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]


class Pin(BaseModel):
    """The staff's PIN."""

    model_config = ConfigDict(extra="forbid")
    pin: Annotated[str, Field(min_length=1, max_length=64)]


class Controls(BaseModel):
    """What is to be changed; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    volume: Share | None = None
    muted: StrictBool | None = None
    paused: StrictBool | None = None
    held: StrictBool | None = None


class Part(BaseModel):
    """The process that is to be replaced."""

    model_config = ConfigDict(extra="forbid")
    part: PartName


class Region(BaseModel):
    """The corners of the artwork, clockwise from its upper left one; None forgets them."""

    model_config = ConfigDict(extra="forbid")
    corners: tuple[tuple[Share, Share], tuple[Share, Share], tuple[Share, Share], tuple[Share, Share]] | None


class View(BaseModel):
    """What the camera's finder says of the live view."""

    outline: tuple[Corner, Corner, Corner, Corner] | None
    sentence: str


class StaffState(BaseModel):
    """All that the staff's pages show; see ``ExhibitState``. ``look`` is where it is seen in the live view."""

    healthy: bool
    sounding: Sounding
    word: str | None
    little_to_see: bool
    controls: ControlState
    parts: list[PartState]
    region: Outline | None
    view: View | None
    look: Outline | None
    counters: dict[str, int]
    timings: dict[str, float]

    @classmethod
    def of(cls, exhibit: Exhibit, hub: Hub) -> Self:
        """The state now."""
        state, view = exhibit.state(), exhibit.live_view()
        return cls(
            healthy=state.healthy,
            sounding=state.sounding,
            word=None if state.felt is None else state.felt.word,
            little_to_see=state.felt is not None and state.felt.little,
            controls=state.controls,
            parts=list(state.parts),
            region=state.region,
            view=None if view is None else View(outline=view.outline, sentence=view.state),
            look=None if view is None else seen_at(state.look, view.outline),
            counters={**state.counters, **hub.counts},
            timings=dict(state.timings),
        )


def staff(exhibit: Exhibit, hub: Hub, sessions: StaffSessions) -> APIRouter:
    """The routes that the staff needs."""
    router = APIRouter(prefix="/api/staff", responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}})
    signed_in = [Depends(sessions.check)]

    @router.post("/session", status_code=204, response_class=Response)
    async def sign_in(pin: Pin, request: Request) -> Response:
        response = Response(status_code=204)
        try:
            await sessions.sign_in(pin.pin, request, response)
        except TooOftenError as error:
            raise RefusedError(429, "too-often", error.wait) from None
        return response

    @router.delete("/session", status_code=204, response_class=Response)
    async def sign_out(request: Request) -> Response:
        response = Response(status_code=204)
        sessions.sign_out(request, response)
        return response

    @router.get("/state", dependencies=signed_in)
    async def state() -> StaffState:
        return StaffState.of(exhibit, hub)

    @router.get("/view.jpg", dependencies=signed_in, responses=gives("image/jpeg"))
    async def view() -> Response:
        live = exhibit.live_view()
        return picture_or_missing(None if live is None else live.jpeg)

    @router.put("/controls", status_code=204, dependencies=signed_in, response_class=Response)
    async def control(controls: Controls) -> Response:
        exhibit.control(Steer(**controls.model_dump()))
        return Response(status_code=204)

    @router.put("/region", status_code=204, dependencies=signed_in, response_class=Response)
    async def set_region(region: Region) -> Response:
        try:
            exhibit.set_region(region.corners)
        except (OptionError, OutputError):
            raise RefusedError(400, "region") from None
        return Response(status_code=204)

    @router.post("/restart", status_code=202, dependencies=signed_in, response_class=Response)
    async def restart(part: Part) -> Response:
        exhibit.restart(part.part)
        return Response(status_code=202)

    return router
