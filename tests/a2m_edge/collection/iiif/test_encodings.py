"""What comes compressed although nobody asked for it."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.collection.iiif.encodings import Decoder, EncodingError
from a2m_edge.collection.iiif.fetching import FetchError, fetch
from a2m_edge.collection.iiif.manifests import iiif_items, read_iiif
from tests.fixtures.collection.iiif_server import Museum
from tests.fixtures.collection.quarters import QUICK, corners, fetched, quarters

CONTENT = b'{"words": "' + b"calm sea " * 5000 + b'"}'


def raw_deflate(content: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


@pytest.fixture(scope="module")
def museum():
    with Museum({"four": quarters()}) as opened:
        yield opened


def answered(museum: Museum, encoding: str, body: bytes, most: int = 100_000) -> bytes:
    museum.documents["/x"] = lambda: (200, {"Content-Encoding": encoding}, body)
    return fetch(f"{museum.url}/x", most_bytes=most, patience=QUICK)


GOOD = {
    "gzip": ("gzip", gzip.compress(CONTENT)),
    "in capitals": ("X-GZIP", gzip.compress(CONTENT)),
    "identity besides": ("identity, gzip", gzip.compress(CONTENT)),
    "members": ("gzip", gzip.compress(CONTENT[:100]) + gzip.compress(CONTENT[100:])),
    "padded": ("gzip", gzip.compress(CONTENT) + bytes(1000)),
    "deflate": ("deflate", zlib.compress(CONTENT)),
    "raw deflate": ("deflate", raw_deflate(CONTENT)),
    "identity": ("identity", CONTENT),
    "empty header": ("", CONTENT),
}


@pytest.mark.parametrize("case", GOOD)
def test_it_is_decoded(museum, case):
    assert answered(museum, *GOOD[case]) == CONTENT


BAD = {
    "cut off": ("gzip", gzip.compress(CONTENT)[:-9], "cut off; try again"),
    "head cut off": ("gzip", gzip.compress(CONTENT)[:5], "cut off"),
    "deflate cut off": ("deflate", zlib.compress(CONTENT)[:-2], "cut off"),
    "a byte": ("deflate", b"x", "cut off"),
    "not compressed": ("gzip", CONTENT, "damaged or none"),
    "wrong sum": ("gzip", gzip.compress(CONTENT)[:-8] + bytes(8), "damaged"),
    "gzip by another name": ("deflate", gzip.compress(CONTENT), "damaged or none"),
    "br": ("br", b"\x0b\x02\x80", r"compressed \(br\)"),
    "zstd": ("zstd", b"", r"compressed \(zstd\)"),
    "twice": ("gzip, gzip", gzip.compress(gzip.compress(CONTENT)), r"compressed \(gzip, gzip\)"),
    "nonsense": ("a" * 5000, b"", r"compressed \(a{20}\)"),
    "too much": ("gzip", gzip.compress(bytes(10_000_000)), "larger than"),
    "too much deflate": ("deflate", zlib.compress(bytes(10_000_000)), "larger than"),
    "much of nothing": ("gzip", gzip.compress(b"") * 6000, "larger than"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_decoded_is_told(museum, case):
    encoding, body, reason = BAD[case]
    with pytest.raises(FetchError, match=reason) as caught:
        answered(museum, encoding, body)
    assert "\n" not in str(caught.value)


def test_a_bomb_is_not_held(museum):
    bomb = gzip.compress(bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(FetchError, match="larger than"):
            answered(museum, "gzip", bomb, 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_documents_and_pictures_may_all_come_compressed(museum):
    document = museum.manifest([museum.canvas("four", 1, {"en": ["Four"]})])
    document["items"][0]["items"][0]["items"][0]["body"]["service"] = [
        {"id": f"{museum.url}/image/four", "type": "ImageService3"}
    ]
    plain, answer = dict(museum.documents), museum.answer

    def compressed(path: str):
        status, headers, body = answer(path)
        return status, headers | {"Content-Encoding": "gzip"}, gzip.compress(body)

    museum.answer = compressed
    try:
        source = f"{museum.url}/manifest.json"
        (item,) = iiif_items(read_iiif(source, QUICK), source, seconds=1.0, seed=0, patience=QUICK)
        assert corners(fetched(item)) == "RG/BY"
    finally:
        museum.answer, museum.documents = answer, plain


@settings(max_examples=200, deadline=None)
@given(
    content=st.binary(max_size=3000),
    members=st.integers(1, 3),
    form=st.sampled_from(["gzip", "zlib", "raw"]),
    step=st.integers(1, 700),
)
def test_it_does_not_matter_how_it_is_parted(content, members, form, step):
    if form == "gzip":
        body = gzip.compress(content) * members
    else:
        body, members = (zlib.compress(content) if form == "zlib" else raw_deflate(content)), 1
    decoder = Decoder(["gzip" if form == "gzip" else "deflate"])
    pieces = [piece for start in range(0, len(body), step) for piece in decoder.pieces(body[start : start + step])]
    decoder.finish()
    assert b"".join(pieces) == content * members


@settings(max_examples=200, deadline=None)
@given(
    encoding=st.sampled_from(["gzip", "deflate", "identity"]) | st.text(max_size=30),
    start=st.sampled_from([b"", b"\x1f\x8b\x08", b"x\x9c", gzip.compress(b"sea", mtime=0)]),
    rest=st.binary(max_size=200),
)
def test_whatever_comes_is_bytes_or_an_error_of_one_line(encoding, start, rest):
    try:
        decoder = Decoder([encoding])
        pieces = [*decoder.pieces(start), *decoder.pieces(rest)]
        decoder.finish()
    except EncodingError as error:
        assert "\n" not in str(error)
    else:
        assert all(isinstance(piece, bytes) for piece in pieces)
