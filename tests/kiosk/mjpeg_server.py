"""A network camera on loopback (multipart JPEG over HTTP) that misbehaves when it is told to."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

BOUNDARY = "frame"


class NetworkCamera:
    """Serves one picture again and again at ``http://127.0.0.1:PORT/stream``.

    Attributes:
        behaviour: ``play``; ``stall`` (keeps connections open and says nothing); ``drop`` (closes them and refuses new
            ones with 503); ``garbage`` (sends noise as JPEG); ``cut`` (sends halves of pictures); ``drip`` (sends a
            few bytes a second).
        connections: how many were accepted.
    """

    def __init__(self, picture: np.ndarray, rate: float = 20.0, name: str | None = None) -> None:
        self.behaviour = "play"
        self.connections = 0
        self.rate = rate
        self._stopped = threading.Event()
        self.show(picture)
        camera = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                camera._serve(self)

            def log_message(self, *_) -> None:
                """Keeps quiet."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_) -> None:
                """Clients that leave are nothing to speak of."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/stream"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def show(self, picture: np.ndarray) -> None:
        """Changes the picture, RGB uint8."""
        done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
        assert done
        self._jpeg = data.tobytes()

    def close(self) -> None:
        """Ends it."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> NetworkCamera:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        self.connections += 1
        handler.close_connection = True
        if self.behaviour == "drop":
            handler.send_error(503)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        handler.send_header("Connection", "close")
        handler.end_headers()
        rng = np.random.default_rng(0)
        while not self._stopped.wait(1 / self.rate):
            behaviour, jpeg = self.behaviour, self._jpeg
            if behaviour == "drop":
                return
            if behaviour == "stall":
                continue
            if behaviour == "garbage":
                jpeg = rng.bytes(len(jpeg))
            elif behaviour == "cut":
                jpeg = jpeg[: len(jpeg) // 2]
            elif behaviour == "drip":
                handler.wfile.write(b"--")
                time.sleep(0.3)
                continue
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            handler.wfile.write(head.encode() + jpeg + b"\r\n")
            handler.wfile.flush()
