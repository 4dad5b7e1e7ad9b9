"""A web server on this computer."""

from __future__ import annotations

import socketserver
from http.server import ThreadingHTTPServer


class QuietServer(ThreadingHTTPServer):
    """Listens for the tests alone; each connection has a thread."""

    daemon_threads = True

    def server_bind(self) -> None:
        """Without the look-up of this computer's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def handle_error(self, *_) -> None:
        """Clients that leave are nothing to speak of."""
