"""Painterly rendering with curved brush strokes of multiple sizes (A. Hertzmann, SIGGRAPH 1998).

From the widest brush to the finest: wherever the canvas still differs from the reference, a stroke starts
at the largest error and follows the flow of the picture while its colour stays the better choice. Beyond
the paper, the flow is a smoothed structure tensor that a scene can bend, a stroke is a bundle of bristles
with their own paint and height, and the heights are lit from the upper left like thick oil on a weave.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from underpainting import Array, Board, rgb

_SUBPIXEL = 4  # fractional bits of the coordinates given to OpenCV
_SAMPLES = 9  # points along a bristle; deliberate strokes get twice as many


@dataclass(frozen=True)
class Brushwork:
    """How a hand paints. Radii are in thousandths of the picture's height."""

    radii: tuple[float, ...] = (34, 18, 9, 5, 2.8, 1.6)
    ground: str = "#8a6f55"
    tolerance: float = 0.105  # mean colour error, RGB in [0, 1], that is left alone
    shortest: int = 4  # steps of one radius
    longest: int = 12
    turn: float = 0.7  # 1 follows every bend of the flow, 0 goes straight on
    jitter: float = 0.045  # of lightness from stroke to stroke
    tint: float = 0.03  # of each channel from stroke to stroke
    bristle: float = 0.05  # of lightness from bristle to bristle
    relief: float = 0.17  # how much light the thickness of the paint catches


class Easel:
    """A canvas of colour and paint height (four channels, so that one stroke lays both) [H, W, 4] uint8."""

    def __init__(self, board: Board, brushwork: Brushwork, seed: int) -> None:
        self.board, self.style = board, brushwork
        self.rng = np.random.default_rng(seed)
        ground = np.append(rgb(brushwork.ground) * 255, 90).astype(np.uint8)
        self.canvas: NDArray[np.uint8] = np.tile(ground, (board.height, board.width, 1))
        self.unit = board.height / 1000

    def paint(self) -> NDArray[np.uint8]:
        """The finished picture, RGB uint8 [H, W, 3]."""
        for index, radius in enumerate(self.style.radii):
            self._layer(max(radius * self.unit, 0.6), index)
        for touch in self.board.touches:
            path = touch.path[None] * self.board.height
            thick = max(touch.radius * self.board.height, 0.4)
            self._strokes(path, np.array([path.shape[1] - 1]), touch.colour[None], thick, 1.12, taper=0.8)
        return self._varnish()

    def _layer(self, radius: float, index: int) -> None:
        blurred = cv2.GaussianBlur(np.clip(self.board.picture, 0, 1), (0, 0), max(0.45 * radius, 0.4))
        reference = np.asarray(blurred, np.float32)
        canvas = self.canvas[..., :3].astype(np.float32) / 255
        squinted = cv2.GaussianBlur(canvas, (0, 0), 0.8 * radius)  # or bristles would count as errors
        error = np.sqrt(np.sum((reference - squinted) ** 2, axis=2))
        starts = self._starts(error, max(2, round(0.9 * radius)), index)
        if not len(starts):
            return
        paths, lengths = self._trace(starts, reference, canvas, radius)
        colours: Array = reference[starts[:, 1], starts[:, 0]]
        calm = 0.75**index  # fine strokes carry the drawing: less chance in them
        colours = colours * (1 + self.style.jitter * calm * self.rng.standard_normal((len(starts), 1)))
        bright = 0.25 + colours.mean(1, keepdims=True)  # a tint that suits a light passage shouts in a dark one
        colours = colours + self.style.tint * calm * bright * self.rng.standard_normal(colours.shape)
        order = self.rng.permutation(len(starts))
        self._strokes(paths[order], lengths[order], colours[order].astype(np.float32), radius, 1 + 0.03 * index)

    def _starts(self, error: Array, grid: int, index: int) -> NDArray[np.int64]:
        """The worst pixel of each grid cell whose mean error is above the tolerance, as (x, y)."""
        rows, columns = error.shape[0] // grid, error.shape[1] // grid
        if not rows or not columns:
            return np.empty((0, 2), np.int64)

        def cells(field: Array) -> Array:
            split = field[: rows * grid, : columns * grid].reshape(rows, grid, columns, grid)
            return split.swapaxes(1, 2).reshape(rows * columns, grid * grid)

        blocks = cells(error)
        slack = 1.5 - cells(self.board.detail).mean(1)
        limit = self.style.tolerance * slack * (1 if index else 0.2)
        chosen = np.flatnonzero(blocks.mean(1) > limit)
        worst = blocks[chosen].argmax(1)
        x = chosen % columns * grid + worst % grid
        y = chosen // columns * grid + worst // grid
        return np.stack([x, y], axis=1)

    def _flow(self, reference: Array, radius: float) -> tuple[Array, Array]:
        """Cosine and sine of twice the stroke angle [H, W]: along edges, bent by the scene's own flow."""
        grey = cv2.cvtColor(reference, cv2.COLOR_RGB2GRAY)
        gx, gy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
        wide = max(0.8 * radius, 1.5)
        along_x = cv2.GaussianBlur(gy * gy - gx * gx, (0, 0), wide)
        along_y = cv2.GaussianBlur(-2 * gx * gy, (0, 0), wide)
        strength = np.hypot(along_x, along_y)
        trust = strength / (strength + 0.02)  # a clear edge leads the hand, the scene's flow does elsewhere
        weight = (1 - trust) * self.board.flow_weight
        bent_x = trust * along_x / (strength + 1e-9) + weight * np.cos(2 * self.board.flow_angle)
        bent_y = trust * along_y / (strength + 1e-9) + weight * np.sin(2 * self.board.flow_angle)
        length = np.hypot(bent_x, bent_y) + 1e-9
        return bent_x / length, bent_y / length

    def _trace(
        self, starts: NDArray[np.int64], reference: Array, canvas: Array, radius: float
    ) -> tuple[Array, NDArray[np.int64]]:
        """All strokes of a layer at once: paths [N, longest + 1, 2] in pixels, and each one's last step [N]."""
        style = self.style
        cosine, sine = self._flow(reference, radius)
        count = len(starts)
        point = starts.astype(np.float32)
        colour = reference[starts[:, 1], starts[:, 0]]
        paths = np.repeat(point[:, None], style.longest + 1, axis=1)
        lengths = np.zeros(count, np.int64)
        alive = np.ones(count, bool)
        wander = 0.12 * self.rng.standard_normal(count).astype(np.float32)
        heading = np.zeros((count, 2), np.float32)
        high = np.array([self.board.width - 1, self.board.height - 1])
        for n in range(1, style.longest + 1):
            at = np.clip(np.round(point), 0, high).astype(int)
            angle = 0.5 * np.arctan2(sine[at[:, 1], at[:, 0]], cosine[at[:, 1], at[:, 0]]) + wander
            way = np.stack([np.cos(angle), np.sin(angle)], axis=1)
            if n == 1:
                way *= self.rng.choice(np.array([-1.0, 1.0]), (count, 1))
            else:
                way *= np.where((way * heading).sum(1, keepdims=True) < 0, -1, 1)
                way = style.turn * way + (1 - style.turn) * heading
            heading = (way / (np.linalg.norm(way, axis=1, keepdims=True) + 1e-9)).astype(np.float32)
            point = point + radius * heading
            at = np.clip(np.round(point), 0, high).astype(int)
            wanted, there = reference[at[:, 1], at[:, 0]], canvas[at[:, 1], at[:, 0]]
            better = np.abs(wanted - colour).sum(1) <= np.abs(wanted - there).sum(1)
            alive &= (better | (n < style.shortest)) & np.all((point >= -radius) & (point <= high + radius), axis=1)
            lengths[alive] = n
            paths[:, n] = point
        return paths, np.maximum(lengths, 1)

    def _strokes(
        self,
        paths: Array,
        lengths: NDArray[np.int64],
        colours: Array,
        radius: float,
        body: float,
        taper: float = 0.4,
    ) -> None:
        """Lay strokes in the given order, each as a bundle of bristles; `body` raises the paint, `taper`
        thins the ends."""
        count, bristles = len(paths), max(1, round((0.85 if taper < 0.5 else 1.1) * radius))
        rng = self.rng
        begin = rng.uniform(0, 0.16, (count, bristles, 1))
        end = rng.uniform(0.8, 1, (count, bristles, 1))
        if bristles == 1:
            begin, end = np.zeros_like(begin), np.ones_like(end)
        t = begin + (end - begin) * np.linspace(0, 1, _SAMPLES if taper < 0.5 else 2 * _SAMPLES)
        place = t * lengths[:, None, None]
        low = np.minimum(place.astype(int), lengths[:, None, None] - 1)
        share = (place - low)[..., None]
        which = np.arange(count)[:, None, None]
        spine = paths[which, low] * (1 - share) + paths[which, low + 1] * share
        spine[:, :, 1:-1] = (spine[:, :, :-2] + 2 * spine[:, :, 1:-1] + spine[:, :, 2:]) / 4
        tangent = np.gradient(spine, axis=2)
        tangent /= np.linalg.norm(tangent, axis=3, keepdims=True) + 1e-6
        normal = np.stack([-tangent[..., 1], tangent[..., 0]], axis=-1)
        spread = np.linspace(-1, 1, bristles) * radius * 0.9 if bristles > 1 else np.zeros(1)
        offset = spread[None, :] + 0.25 * rng.standard_normal((count, bristles)) * (bristles > 1)
        press = 1 - taper * (1 - np.sin(np.pi * np.clip(t * 0.92 + 0.06, 0, 1)) ** 0.6)
        fixed = np.round((spine + normal * (offset[..., None] * press)[..., None]) * 2**_SUBPIXEL).astype(np.int32)

        streak = rng.standard_normal((count, bristles))
        streak[:, 1:] = 0.6 * streak[:, :-1] + 0.8 * streak[:, 1:]
        paint = np.clip(colours[:, None] * (1 + self.style.bristle * streak[..., None]), 0, 1) * 255
        load = float(np.clip(radius / self.unit / 9, 0.35, 1))  # a wide brush carries thicker paint
        height = np.clip(120 * body + load * (26 * streak + 16 * rng.standard_normal((count, 1))), 0, 255)
        inks = np.concatenate([paint, height[..., None]], axis=2).tolist()
        thick = max(1, round(2 * radius / bristles * 1.25))
        for stroke in range(count):
            for bristle in range(bristles):
                cv2.polylines(
                    self.canvas, [fixed[stroke, bristle]], False, inks[stroke][bristle], thick, cv2.LINE_AA, _SUBPIXEL
                )

    def _varnish(self) -> NDArray[np.uint8]:
        """Light on the thickness of the paint and on the weave of the canvas."""
        colour = self.canvas[..., :3].astype(np.float32) / 255
        height = cv2.GaussianBlur(self.canvas[..., 3].astype(np.float32) / 255, (0, 0), max(0.8 * self.unit, 0.3))
        rows, columns = np.mgrid[: self.board.height, : self.board.width]
        weave = np.sin(columns * 2.1) * np.sin(rows * 2.1) * (0.6 + 0.4 * np.sin(columns * 0.037 + rows * 0.023))
        grain = 0.5 * weave + 0.5 * self.rng.standard_normal(height.shape)
        height = height + 0.012 * grain.astype(np.float32)
        slope = cv2.Sobel(height, cv2.CV_32F, 1, 0) + cv2.Sobel(height, cv2.CV_32F, 0, 1)
        catch = np.tanh(slope)[..., None] * self.style.relief
        lit = colour * (1 + 0.8 * catch) + 0.25 * np.clip(catch, 0, None) * (0.3 + 0.7 * colour)
        return np.asarray(np.clip(lit * 255 + 0.5, 0, 255), np.uint8)
