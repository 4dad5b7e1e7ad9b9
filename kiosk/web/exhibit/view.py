"""Where a rectangle of the artwork is seen in the camera's view."""

from __future__ import annotations

import cv2
import numpy as np

from kiosk.shared.messages import Box, Corner, Outline

_CORNERS = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)


def seen_at(box: Box | None, outline: Outline | None) -> Outline | None:
    """The corners of a rectangle of the artwork in the camera's frame.

    Args:
        box: of the artwork; None where there is none.
        outline: of the artwork in the frame; None where it is not found.

    Returns:
        clockwise from the upper left corner as the picture hangs; None where either is missing.
    """
    if box is None or outline is None:
        return None
    left, top, width, height = box
    matrix = cv2.getPerspectiveTransform(_CORNERS, np.array(outline, np.float32))
    corners = _CORNERS * np.array((width, height), np.float32) + np.array((left, top), np.float32)
    upper_left, upper_right, lower_right, lower_left = cv2.perspectiveTransform(corners[None], matrix)[0].tolist()
    return _corner(upper_left), _corner(upper_right), _corner(lower_right), _corner(lower_left)


def _corner(point: list[float]) -> Corner:
    x, y = point
    return x, y
