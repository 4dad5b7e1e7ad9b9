"""A picture looked at region by region: each is encoded when it is first asked for, and once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from a2m_edge.impression.gaze import WHOLE, Gaze, Look, Region
from a2m_edge.inference.agreement import cosines
from a2m_edge.perception.encoders import Encoders, Sight
from a2m_edge.perception.gaze import find_regions
from a2m_edge.perception.painting import as_measured

CLEAR = 0.06
"""Cosine by which the region that a comment names must be nearer to it than every other one. Measured with the default
bundle (``python -m tools.gaze.measure``): 5 % of 943 utterances of ArtEmis name a region of their painting so; an eye
found the region right in 18 of the 24 that do so by the least (faces, water, horses), and in 20 of the 24 that do so by
the most. The whole is no rival: its embedding was fitted to what people say, and is nearer than any part to 3 of 4
utterances, those about a face too."""


class Looks(Sequence[Look]):
    """What is seen in the regions of a picture, in the order of looking.

    Nothing is done before it is asked for: regions are found when somebody asks how many there are, and a region is
    encoded when it is looked at. The picture is kept until all is seen.

    Args:
        encoders: of the bundle.
        sight: of the whole picture.
        picture: upright RGB, uint8 [H, W, 3]; not to be changed.
    """

    def __init__(self, encoders: Encoders, sight: Sight, picture: NDArray[np.uint8]) -> None:
        self.sight = sight
        self.whole = Look(WHOLE, encoders.feel(sight, None).feeling, sight.cues, sight.subjects)
        self._encoders = encoders
        self._picture: NDArray[np.uint8] | None = picture
        self._measured: NDArray[np.uint8] | None = None  # the same, small, once a region is looked at
        self._regions: tuple[Region, ...] | None = None
        self._seen: dict[int, tuple[Look, NDArray[np.float32]]] = {}

    def __len__(self) -> int:
        return len(self._found())

    @overload
    def __getitem__(self, index: int) -> Look: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Look]: ...
    def __getitem__(self, index: int | slice) -> Look | Sequence[Look]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        return self._look(range(len(self))[index])[0]

    def look_ahead(self) -> bool:
        """Finds the regions, or looks at one that was not looked at yet: whether there was anything left to do."""
        if self._regions is None:
            self._found()
            return True
        left = next((index for index in range(len(self)) if index not in self._seen), None)
        if left is not None:
            self._look(left)
        return left is not None

    def gaze(self, comment: NDArray[np.float32] | None) -> Gaze:
        """Where one may look, as a comment leads the gaze.

        Args:
            comment: its embedding, float32 [D], or None.
        """
        return Gaze(self, self.whole, lambda: None if comment is None else self.named(comment))

    def named(self, comment: NDArray[np.float32]) -> int | None:
        """The look that a comment names: the one nearest to it, where it stands clear of the others (``CLEAR``).

        Args:
            comment: its embedding, float32 [D].

        Returns:
            the number of the look, or None where the comment may mean any or none of them.
        """
        if len(self) < 2:
            return None
        near = cosines(np.stack([self._look(index)[1] for index in range(len(self))]), comment[None])
        second, best = np.argsort(near, kind="stable")[-2:]
        return int(best) if near[best] - near[second] >= CLEAR else None

    def put_away(self) -> None:
        """Lets the picture go; what was not seen yet needs ``take_up``."""
        self._picture = self._measured = None

    def take_up(self, picture: NDArray[np.uint8]) -> None:
        """Goes on with another photograph of the same picture, upright RGB uint8 [H, W, 3], if anything is left."""
        if self._regions is None or len(self._seen) < len(self._regions):
            self._picture, self._measured = picture, None

    def _found(self) -> tuple[Region, ...]:
        if self._regions is None:
            # What stands out where there is little to see is noise.
            self._regions = () if self.sight.little else find_regions(self._shown())
        return self._regions

    def _look(self, index: int) -> tuple[Look, NDArray[np.float32]]:
        if index not in self._seen:
            region = self._found()[index]
            picture = self._shown()
            if self._measured is None:
                self._measured = as_measured(picture)
            sight = self._encoders.see(picture, region, self._measured)
            feeling = self._encoders.feel(sight, None).feeling
            self._seen[index] = Look(region, feeling, sight.cues, sight.subjects), sight.embedding
            if len(self._seen) == len(self):
                self.put_away()
        return self._seen[index]

    def _shown(self) -> NDArray[np.uint8]:
        if self._picture is None:
            raise ValueError("the picture was put away")
        return self._picture
