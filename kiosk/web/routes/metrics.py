"""Numbers for whoever watches many exhibits: ``/healthz`` and ``/metrics``."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

from kiosk.web.exhibit.exhibit import Exhibit, ExhibitState
from kiosk.web.exhibit.hub import Hub


class Health(BaseModel):
    """Whether every part of the exhibit does its work."""

    healthy: bool


def measured(exhibit: Exhibit, hub: Hub) -> APIRouter:
    """The two routes. Status 503 of ``/healthz`` says the same as its body."""
    router = APIRouter()

    @router.get("/healthz", responses={503: {"model": Health}})
    async def health() -> Health:
        healthy = exhibit.state().healthy
        return JSONResponse({"healthy": healthy}, 200 if healthy else 503)  # type: ignore[return-value]

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        text = metrics_text(exhibit.state(), hub.counts)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def metrics_text(state: ExhibitState, counts: dict[str, int]) -> str:
    """The state in Prometheus' text format 0.0.4. It holds numbers and the names of processes and stages alone."""
    return "".join(f"{line}\n" for line in _lines(state, counts))


def _lines(state: ExhibitState, counts: dict[str, int]) -> Iterator[str]:
    yield from _metric("healthy", "gauge", "Whether every part does its work.", {"": int(state.healthy)})
    yield from _metric(
        "sounding",
        "gauge",
        "What the room hears now.",
        {f'{{source="{source}"}}': int(source == state.sounding) for source in ("live", "bed", "silence")},
    )
    yield from _metric(
        "part_ok", "gauge", "Whether a process does its work.", {_part(part.name): int(part.ok) for part in state.parts}
    )
    yield from _metric(
        "restarts_total",
        "counter",
        "How often a process was replaced.",
        {_part(part.name): part.restarts for part in state.parts},
    )
    yield from _metric("volume", "gauge", "Loudness, 0 to 1.", {"": state.controls.volume})
    for name in ("muted", "paused", "held"):
        yield from _metric(name, "gauge", "Set by the staff.", {"": int(getattr(state.controls, name))})
    for name, value in state.counters.items():
        yield from _metric(f"{name}_total", "counter", "Counted since the exhibit started.", {"": value})
    yield from _metric(
        "stage_milliseconds",
        "gauge",
        "How long a stage took last.",
        {f'{{stage="{stage}"}}': value for stage, value in state.timings.items()},
    )
    yield from _metric("watchers", "gauge", "Pages that are open.", {"": counts["watchers"]})
    yield from _metric("listeners", "gauge", "Pages that play the sound.", {"": counts["listeners"]})
    yield from _metric(
        "dropped_pieces_total",
        "counter",
        "Pieces of sound and picture that were dropped for pages that were too slow.",
        {"": counts["dropped_pieces"]},
    )


def _part(name: str) -> str:
    return f'{{part="{name}"}}'


def _metric(name: str, kind: str, meaning: str, values: dict[str, float]) -> Iterator[str]:
    yield f"# HELP a2m_{name} {meaning}"
    yield f"# TYPE a2m_{name} {kind}"
    for labels, value in values.items():
        yield f"a2m_{name}{labels} {value}"
