"""A small museum on loopback: a IIIF Image API 3 endpoint of level 1, a Presentation 3 manifest, and bad days."""

from __future__ import annotations

import csv
import json
import re
import ssl
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import cv2
import numpy as np

from tests.quiet_server import QuietServer

CONTEXT = "http://iiif.io/api/presentation/3/context.json"
IMAGE_CONTEXT = "http://iiif.io/api/image/3/context.json"

Answer = tuple[int, dict[str, str], bytes]


class Museum:
    """Serves pictures at ``URL/image/NAME`` and documents at the paths that it is given.

    Args:
        pictures: RGB uint8 [H, W, 3] by name.
        largest: the most pixels of a side that are sent; ``info.json`` tells it as ``maxWidth``.
        certificate: file with a key and a certificate, to be asked over https.

    Attributes:
        documents: what is answered at a path: JSON, bytes, or a function that makes the whole answer.
        asked: how often each path was asked for.
        agents: the programs that asked.
    """

    def __init__(
        self, pictures: dict[str, np.ndarray], largest: int | None = None, certificate: Path | None = None
    ) -> None:
        self.pictures = pictures
        self.largest = largest
        self.documents: dict[str, object | Callable[[], Answer]] = {}
        self.asked: Counter[str] = Counter()
        self.agents: set[str] = set()
        museum = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                museum.asked[self.path] += 1
                museum.agents.add(self.headers["User-Agent"])
                status, headers, body = museum.answer(self.path)
                self.close_connection = True
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                step = 1000 if "X-Slowly" in headers else len(body) or 1
                for start in range(0, len(body), step):
                    self.wfile.write(body[start : start + step])
                    if "X-Slowly" in headers:
                        time.sleep(0.05)

            def log_message(self, *_) -> None:
                """Keeps quiet."""

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self._server.server_port}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self) -> Museum:
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> Answer:
        """Status, headers and body for a path."""
        if path in self.documents:
            document = self.documents[path]
            if callable(document):
                made: Answer = document()
                return made
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            return 200, {"Content-Type": "application/ld+json"}, body
        if match := re.fullmatch(r"/image/([^/]+)/(.+)", path):
            return self._image(unquote(match[1]), match[2])
        return 404, {}, b"not here"

    def _image(self, name: str, request: str) -> Answer:
        """The Image API 3.0 at level 1, for the full region only."""
        picture = self.pictures.get(name)
        if picture is None:
            return 404, {}, b""
        height, width = picture.shape[:2]
        if request == "info.json":
            return 200, {"Content-Type": "application/ld+json"}, json.dumps(self._information(name)).encode()
        if not (match := re.fullmatch(r"full/(max|\d*,\d*)/0/default\.jpg", request)):
            return 400, {}, b"no such size"
        most = min(1.0, (self.largest or width) / width, (self.largest or height) / height)
        wide, tall = int(width * most), int(height * most)
        if match[1] != "max":
            asked_width, asked_height = match[1].split(",")
            if bool(asked_width) == bool(asked_height):
                return 501, {}, b"level 1 has w, and ,h"
            scale = int(asked_width) / width if asked_width else int(asked_height) / height
            if not 0 < scale <= most:
                return 400, {}, b"too large"
            wide, tall = max(1, round(width * scale)), max(1, round(height * scale))
        sized = cv2.resize(picture, (wide, tall), interpolation=cv2.INTER_AREA)
        done, data = cv2.imencode(".jpg", np.ascontiguousarray(sized[..., ::-1]))
        assert done
        return 200, {"Content-Type": "image/jpeg"}, data.tobytes()

    def _information(self, name: str) -> dict[str, Any]:
        height, width = self.pictures[name].shape[:2]
        limit = {} if self.largest is None else {"maxWidth": self.largest}
        return {
            "@context": IMAGE_CONTEXT,
            "id": f"{self.url}/image/{quote(name, safe='')}",
            "type": "ImageService3",
            "protocol": "http://iiif.io/api/image",
            "profile": "level1",
            "width": width,
            "height": height,
            **limit,
        }

    def canvas(self, name: str, number: int, label: dict[str, list[str]], **more: Any) -> dict[str, Any]:
        """A canvas that shows one of the pictures, as the specification has it."""
        height, width = self.pictures[name].shape[:2]
        service = f"{self.url}/image/{quote(name, safe='')}"
        canvas = f"{self.url}/canvas/{number}"
        return {
            "id": canvas,
            "type": "Canvas",
            "label": label,
            "height": height,
            "width": width,
            "items": [
                {
                    "id": f"{canvas}/page",
                    "type": "AnnotationPage",
                    "items": [
                        {
                            "id": f"{canvas}/painting",
                            "type": "Annotation",
                            "motivation": "painting",
                            "body": {
                                "id": f"{service}/full/max/0/default.jpg",
                                "type": "Image",
                                "format": "image/jpeg",
                                "height": height,
                                "width": width,
                                "service": [{"id": service, "type": "ImageService3", "profile": "level1"}],
                            },
                            "target": canvas,
                        }
                    ],
                }
            ],
            **more,
        }

    def manifest(self, canvases: list[dict[str, Any]], path: str = "/manifest.json", **more: Any) -> dict[str, Any]:
        """A manifest of canvases, which is also served."""
        document = {
            "@context": CONTEXT,
            "id": f"{self.url}{path}",
            "type": "Manifest",
            "label": {"en": ["Works in the public domain"]},
            "items": canvases,
            **more,
        }
        self.documents[path] = document
        return document

    def collection(self, items: list[dict[str, Any]], path: str) -> dict[str, Any]:
        """A collection, which is also served."""
        document = {
            "@context": CONTEXT,
            "id": f"{self.url}{path}",
            "type": "Collection",
            "label": {"en": [f"Collection {path}"]},
            "items": items,
        }
        self.documents[path] = document
        return document

    def reference(self, path: str, kind: str = "Manifest") -> dict[str, Any]:
        """How a collection names a manifest or another collection."""
        return {"id": f"{self.url}{path}", "type": kind, "label": {"none": [path]}}


def public_domain_museum(folder: Path) -> Museum:
    """A museum of the pictures in ``public_domain_art.zip``, with a manifest of them all at ``/manifest.json``.

    Args:
        folder: of the archive and its table.
    """
    with (folder / "public_domain_art.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    pictures = {}
    with zipfile.ZipFile(folder / "public_domain_art.zip") as archive:
        for row in rows:
            decoded = cv2.imdecode(np.frombuffer(archive.read(row["pixel_file"]), np.uint8), cv2.IMREAD_COLOR)
            assert decoded is not None
            pictures[Path(row["pixel_file"]).stem] = np.asarray(decoded[..., ::-1], np.uint8)
    museum = Museum(pictures)
    canvases = []
    for number, (name, row) in enumerate(zip(pictures, rows, strict=True)):
        metadata = [
            {"label": {"en": ["Artist"]}, "value": {"en": [row["artist"]]}},
            {"label": {"en": ["Date"]}, "value": {"none": [row["date"]]}},
        ]
        statement = {"label": {"en": ["Credit"]}, "value": {"en": [row["museum"]]}}
        more = {"metadata": metadata, "requiredStatement": statement}
        canvases.append(museum.canvas(name, number + 1, {"en": [row["title"]]}, **more))
    museum.manifest(canvases, rights="http://creativecommons.org/publicdomain/mark/1.0/")
    return museum
