"""Measures what docs/pictures.md tells: who decodes and resizes alike, and what a colour profile is worth.

    python -m tools.measure_pictures --shared ../shared

``decoding``: pictures whose pixels are the same from Pillow and from OpenCV, whole and reduced. ``resizing``: pictures
that ``preprocess`` and Pillow resize alike. ``profiles``: the cosine between the embedding of a picture in its true
colours and that of its raw numbers in another colour space, the profile ignored, and of the same file as it is read.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageCms

from a2m_edge.bundle import open_bundle
from a2m_edge.bundle.manifest import ImagePreprocessing
from a2m_edge.perception.encoders import Encoders
from a2m_edge.perception.pictures import read_picture
from a2m_edge.perception.preprocessing import preprocess
from tools.colour_profiles import SPACES, rgb_profile

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SIZE = 224
_REDUCED = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def decoding(pictures: list[bytes]) -> None:
    """Prints how many JPEGs Pillow and OpenCV decode alike."""
    for factor, flag in _REDUCED.items():
        same, seconds = 0, [0.0, 0.0]
        for content in pictures:
            begun = time.perf_counter()
            theirs = np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), flag))
            between = time.perf_counter()
            image = Image.open(io.BytesIO(content))
            image.draft(None, (max(1, image.width // factor), max(1, image.height // factor)))
            ours = np.asarray(image.convert("RGB"))
            seconds = [seconds[0] + between - begun, seconds[1] + time.perf_counter() - between]
            same += np.array_equal(ours, theirs if factor == 1 else theirs[..., ::-1])
        speed = " and ".join(f"{1000 * each / len(pictures):.2f}" for each in seconds)
        print(f"decoding 1/{factor}: {same} of {len(pictures)} alike; OpenCV and Pillow take {speed} ms each")


def resizing(count: int = 200) -> None:
    """Prints how many random pictures Pillow resizes as ``preprocess`` does: whole and cropped, and by its ``box``."""
    settings = ImagePreprocessing(SIZE, "shortest", "bicubic", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    draw = np.random.default_rng(0)
    alike, worst, seconds = {"whole": 0, "box": 0}, {"whole": 0, "box": 0}, {"hand": 0.0, "whole": 0.0, "box": 0.0}
    for _ in range(count):
        height, width = (int(side) for side in draw.integers(100, 1600, 2))
        rgb = draw.integers(0, 256, (height, width, 3), np.uint8)
        begun = time.perf_counter()
        ours = np.rint(preprocess(rgb, settings) * 255).transpose(1, 2, 0).astype(int)
        seconds["hand"] += time.perf_counter() - begun
        full = (int(SIZE * width / height), SIZE) if height < width else (SIZE, int(SIZE * height / width))
        left, top = (max(0, round((side - SIZE) / 2)) for side in full)
        across, down = width / full[0], height / full[1]
        box = (left * across, top * down, min(width, (left + SIZE) * across), min(height, (top + SIZE) * down))
        image = Image.fromarray(rgb)
        for name in alike:
            begun = time.perf_counter()
            if name == "whole":
                done = image.resize(full, Image.Resampling.BICUBIC).crop((left, top, left + SIZE, top + SIZE))
            else:
                done = image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box)
            seconds[name] += time.perf_counter() - begun
            difference = int(np.abs(np.asarray(done).astype(int) - ours).max())
            alike[name] += difference == 0
            worst[name] = max(worst[name], difference)
    for name, number in alike.items():
        print(f"resizing, Pillow {PIL.__version__}, {name}: {number} of {count} alike, worst {worst[name]} of 255")
    print("resizing, ms: " + ", ".join(f"{name} {1000 * each / count:.1f}" for name, each in seconds.items()))


def profiles(pictures: dict[str, list[bytes]]) -> None:
    """Prints what is lost where a profile is ignored, and where it is followed."""
    bundle = open_bundle()
    encoders = Encoders(bundle, device="cpu")
    srgb = ImageCms.createProfile("sRGB")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        for what, contents in pictures.items():
            for space in list(SPACES)[1:]:
                stored = rgb_profile(space)
                target = ImageCms.ImageCmsProfile(io.BytesIO(stored))
                intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
                transform = ImageCms.buildTransform(srgb, target, "RGB", "RGB", intent)
                cosines, levels, turned = [], [], []
                for content in contents:
                    true = Image.open(io.BytesIO(content)).convert("RGB")
                    numbers = ImageCms.applyTransform(true, transform)
                    if numbers is None:
                        raise RuntimeError("the picture was changed in place")
                    numbers.save(path, icc_profile=stored)
                    seen = [np.asarray(true), np.asarray(numbers), read_picture(path)]
                    sights = [encoders.see(each) for each in seen]
                    felt = [encoders.feel(each, None).feeling for each in sights]
                    embedded = [each.embedding for each in sights]
                    cosines.append([float(embedded[0] @ each) for each in embedded[1:]])
                    levels.append([_levels(seen[0], each) for each in seen[1:]])
                    turned.append([abs(each.valence - felt[0].valence) for each in felt[1:]])
                cosine, level = np.array(cosines), np.array(levels)
                moved = np.array(turned)
                for at, how in enumerate(("ignored", "followed")):
                    print(
                        f"{len(contents)} {what}, {space}, {how}: cosine mean {cosine[:, at].mean():.4f}, least "
                        f"{cosine[:, at].min():.4f}; {level[:, at].mean():.1f} levels; valence by "
                        f"{moved[:, at].mean():.3f}, at most {moved[:, at].max():.3f}"
                    )


def _levels(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def main() -> None:
    """Prints all three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with data/paintings.zip")
    arguments = parser.parse_args()
    examples = [path.read_bytes() for path in sorted(EXAMPLES.glob("*.jpg"))]
    paintings: list[bytes] = []
    archive = arguments.shared / "data" / "paintings.zip"
    if archive.is_file():
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
            paintings = [opened.read(name) for name in names[:: max(1, len(names) // 200)][:200]]
    print(f"{len(examples)} examples and {len(paintings)} paintings")
    decoding([*examples, *paintings])
    resizing()
    profiles({"examples": examples} | ({"paintings": paintings[::4]} if paintings else {}))


if __name__ == "__main__":
    main()
