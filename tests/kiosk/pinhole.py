"""A camera that looks at a wall."""

from __future__ import annotations

import cv2
import numpy as np


class Camera:
    """A pinhole with radial distortion in a room whose wall is the plane z = 0; the camera stands at z > 0.

    Args:
        width, height: of the frame in pixels.
        place: x, y, z in metres.
        turn: yaw, pitch and roll in degrees; yaw 0 looks straight at the wall.
        field: horizontal field of view in degrees.
        distortion: a point at the squared distance r2 (in units of half the width) from the middle of the frame
            belongs to (1 + distortion * r2) times its place in an undistorted frame, which is then scaled to fill
            the frame's corners.
    """

    def __init__(self, width, height, place, turn, field, distortion=0.0) -> None:
        self.width, self.height, self.distortion = width, height, distortion
        yaw, pitch, roll = np.radians(turn)
        focal = width / 2 / np.tan(np.radians(field) / 2)
        self._inner = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        look = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])  # image axes: right, down, forward
        about_y = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        self._turned = about_z @ about_x @ about_y @ look
        self.place = np.array(place, float)
        self._scale = 1 / max(1.0, 1 + distortion * (1 + (height / width) ** 2))

    def project(self, points):
        """Places in the undistorted frame of points [N, 3] in metres: pixels [N, 2]."""
        seen = (np.asarray(points, float) - self.place) @ self._turned.T @ self._inner.T
        return seen[:, :2] / np.maximum(seen[:, 2:], 1e-3)

    @property
    def forward(self):
        """The direction in which it looks, a unit vector."""
        return self._turned[2]

    def bend(self, frame):
        """An undistorted frame as the lens shows it."""
        if not self.distortion:
            return frame
        half = self.width / 2
        x, y = np.meshgrid(np.arange(self.width) + 0.5 - half, np.arange(self.height) + 0.5 - self.height / 2)
        stretch = (1 + self.distortion * (x * x + y * y) / half**2) * self._scale
        across, down = x * stretch + half - 0.5, y * stretch + self.height / 2 - 0.5
        return cv2.remap(frame, across.astype(np.float32), down.astype(np.float32), cv2.INTER_LINEAR)

    def bent(self, points):
        """Where the lens shows points [N, 2] of the undistorted frame."""
        half = self.width / 2
        middle = np.array([half, self.height / 2])
        straight = (np.asarray(points) - middle) / half / self._scale
        bent = straight.copy()
        for _ in range(20):
            bent = straight / (1 + self.distortion * (bent**2).sum(axis=1, keepdims=True))
        return bent * half + middle

    def lay(self, seen, texture, box, opacity=None):
        """Lays a texture on the wall into an undistorted frame.

        Args:
            seen: float32 [H, W, 3].
            texture: float32 [h, w, 3].
            box: left, top, right and bottom on the wall in metres.
            opacity: float32 [h, w]; solid when None.
        """
        height, width = texture.shape[:2]
        source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - 0.5
        matrix = cv2.getPerspectiveTransform(source, self.project(corners(box)).astype(np.float32) - 0.5)
        size = (self.width, self.height)
        mask = np.ones((height, width), np.float32) if opacity is None else opacity
        mask = cv2.warpPerspective(mask, matrix, size)[..., None]
        return seen * (1 - mask) + cv2.warpPerspective(texture, matrix, size, borderMode=cv2.BORDER_REPLICATE) * mask


def corners(box):
    """The corners [4, 3] of left, top, right and bottom on the wall, clockwise from the upper left one."""
    left, top, right, bottom = box
    return np.array([(left, top, 0), (right, top, 0), (right, bottom, 0), (left, bottom, 0)], float)
