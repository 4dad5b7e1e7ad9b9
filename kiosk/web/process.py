"""The process of the web server: the pages, on the exhibit as it is linked to the supervisor."""

from __future__ import annotations

import time

from a2m_edge.errors import DeviceError
from kiosk.shared.links import WebLinks
from kiosk.shared.settings import WebSettings
from kiosk.web.app import create_app
from kiosk.web.exhibit.linked_exhibit import LinkedExhibit
from kiosk.web.server import Server

_LOOK = 0.1
"""Seconds between two looks at the server."""

_ENDING = 1.0
"""Seconds that connections have to close."""


def run_web(settings: WebSettings, links: WebLinks) -> None:
    """Serves the pages until the exhibit ends or its supervisor is gone.

    Raises:
        OptionError, DeviceError: as ``kiosk.web.server.Server``; DeviceError also when the server ends by itself.
    """
    exhibit = LinkedExhibit(settings, links)
    server = Server(create_app(exhibit, settings), settings)
    beat = server.beat
    try:
        while not exhibit.ended:
            if not server.alive:
                raise DeviceError("the web server has ended by itself")
            if server.beat != beat:
                beat = server.beat
                links.progress.web_turns.add()
            time.sleep(_LOOK)
    finally:
        server.stop(_ENDING)
