"""Bundles: sealed, opened, and refused when they are not what they say."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2m_edge.bundle import Bundle, open_bundle, seal_bundle
from a2m_edge.bundle.manifest import (
    OLDEST_SCHEMA,
    SCHEMA,
    Manifest,
)
from a2m_edge.errors import BundleError
from tests.fixtures.manifests import MANIFEST
from tests.fixtures.places import STEREO_BUNDLE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sealed bundle whose graphs are only bytes: none of this module's tests makes a session."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name in MANIFEST.needed_files:
        (folder / name).write_bytes(f"content of {name}".encode())
    seal_bundle(folder, MANIFEST)
    return folder


def rewrite(folder: Path, **changes: object) -> None:
    """Changes keys of the manifest in a file that was sealed."""
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


class TestSealing:
    def test_what_was_sealed_opens(self, folder):
        bundle = open_bundle(folder)
        assert isinstance(bundle, Bundle)
        assert replace(bundle.manifest, files={}) == MANIFEST
        assert bundle.hash == hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
        assert bundle.file("bed.wav").read_bytes() == b"content of bed.wav"
        assert len(bundle.manifest.files) == len(MANIFEST.needed_files)

    def test_the_same_content_gives_the_same_bytes(self, folder, tmp_path):
        twin = tmp_path / "twin"
        twin.mkdir()
        for path in sorted(folder.iterdir(), reverse=True):
            shutil.copy(path, twin)
        backwards = replace(MANIFEST, graphs=dict(reversed(MANIFEST.graphs.items())))
        seal_bundle(twin, backwards)
        text = (twin / "manifest.json").read_bytes()
        assert text == (folder / "manifest.json").read_bytes()
        assert text.endswith(b"}\n")

    def test_one_changed_byte_changes_the_hash(self, folder):
        before = open_bundle(folder).hash
        (folder / "bed.wav").write_bytes(b"content of bed.waV")
        assert seal_bundle(folder, MANIFEST).hash != before

    def test_an_incomplete_folder_is_not_sealed(self, folder):
        (folder / "tokenizer.json").unlink()
        (folder / "manifest.json").unlink()
        with pytest.raises(BundleError, match=re.escape("tokenizer.json")):
            seal_bundle(folder, MANIFEST)
        assert not (folder / "manifest.json").exists()

    def test_a_manifest_that_makes_no_sense_is_not_sealed(self, folder):
        before = (folder / "manifest.json").read_bytes()
        for wrong in (
            replace(MANIFEST, embedding_size=0),
            replace(MANIFEST, graphs={}),
            replace(MANIFEST, measured={"x": float("nan")}),
        ):
            with pytest.raises(BundleError):
                seal_bundle(folder, wrong)
        assert (folder / "manifest.json").read_bytes() == before

    def test_a_file_that_is_not_listed_cannot_be_asked_for(self, folder):
        (folder.parent / "secret").touch()
        for name in ("secret", "../secret", "/etc/passwd", "manifest.json"):
            with pytest.raises(BundleError, match="no file"):
                open_bundle(folder).file(name)


class TestHostileFolders:
    def test_no_folder(self, tmp_path):
        with pytest.raises(BundleError, match="there is no bundle"):
            open_bundle(tmp_path / "missing")

    def test_a_file_in_place_of_the_folder(self, folder):
        with pytest.raises(BundleError, match="there is no bundle"):
            open_bundle(folder / "bed.wav")

    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(BundleError, match=re.escape("holds no manifest.json")):
            open_bundle(tmp_path)

    @pytest.mark.parametrize("name", ["vocoder.onnx", "tokenizer.json", "bed.wav", "MODEL_CARD.md"])
    def test_a_missing_file(self, folder, name):
        (folder / name).unlink()
        with pytest.raises(BundleError, match=f"incomplete: {name} is missing"):
            open_bundle(folder)

    def test_an_altered_file_of_the_same_size(self, folder):
        content = bytearray((folder / "vocoder.onnx").read_bytes())
        content[3] ^= 1
        (folder / "vocoder.onnx").write_bytes(content)
        with pytest.raises(BundleError, match=re.escape("vocoder.onnx was altered")):
            open_bundle(folder)

    def test_a_file_cut_short(self, folder):
        (folder / "fusion.onnx").write_bytes(b"")
        with pytest.raises(BundleError, match=re.escape("fusion.onnx was altered")):
            open_bundle(folder)

    def test_an_extra_file(self, folder):
        (folder / "extra.py").touch()
        with pytest.raises(BundleError, match=re.escape("'extra.py', which it does not list")):
            open_bundle(folder)

    def test_an_extra_folder(self, folder):
        (folder / "weights").mkdir()
        with pytest.raises(BundleError, match="'weights', which it does not list"):
            open_bundle(folder)

    @pytest.mark.parametrize("target", ["outside", "inside"])
    def test_a_link_in_place_of_a_file(self, folder, target):
        place = folder.parent / "outside" if target == "outside" else folder / "composer.json"
        place.write_bytes((folder / "bed.wav").read_bytes())
        (folder / "bed.wav").unlink()
        (folder / "bed.wav").symlink_to(place)
        with pytest.raises(BundleError, match=re.escape("bed.wav is no plain file")):
            open_bundle(folder)

    def test_a_link_in_place_of_the_manifest(self, folder):
        (folder / "manifest.json").rename(folder.parent / "manifest.json")
        (folder / "manifest.json").symlink_to(folder.parent / "manifest.json")
        with pytest.raises(BundleError, match=re.escape("manifest.json is no plain file")):
            open_bundle(folder)

    def test_a_pipe_in_place_of_a_file_does_not_hang(self, folder):
        (folder / "bed.wav").unlink()
        os.mkfifo(folder / "bed.wav")
        with pytest.raises(BundleError, match=re.escape("bed.wav is no plain file")):
            open_bundle(folder)

    def test_a_folder_in_place_of_a_file(self, folder):
        (folder / "bed.wav").unlink()
        (folder / "bed.wav").mkdir()
        with pytest.raises(BundleError, match=re.escape("bed.wav is no plain file")):
            open_bundle(folder)

    def test_a_bundle_behind_a_link_opens(self, folder):
        (folder.parent / "link").symlink_to(folder)
        assert open_bundle(folder.parent / "link").hash == open_bundle(folder).hash


class TestHostileManifests:
    @pytest.mark.parametrize(
        "name",
        ["../outside", "/etc/hostname", "sub/file", "..", ".", "", "a\\..\\b", ".hidden", "a\0b", "manifest.json"],
    )
    def test_a_path_that_is_no_plain_name(self, folder, name):
        (folder.parent / "outside").write_bytes(b"x")
        record = {"sha256": hashlib.sha256(b"x").hexdigest(), "size": 1}
        files = json.loads((folder / "manifest.json").read_text())["files"]
        rewrite(folder, files=files | {name: record})
        with pytest.raises(BundleError, match="only plain files inside its own folder"):
            open_bundle(folder)

    def test_a_graph_whose_file_is_elsewhere(self, folder):
        graphs = json.loads((folder / "manifest.json").read_text())["graphs"]
        graphs["vocoder"]["file"] = "../vocoder.onnx"
        rewrite(folder, graphs=graphs)
        with pytest.raises(BundleError, match="does not list"):
            open_bundle(folder)

    def test_a_newer_schema_says_so_whatever_else_it_holds(self, folder):
        rewrite(folder, schema=SCHEMA + 1, something_new=True)
        with pytest.raises(BundleError, match=f"newer than this program's {SCHEMA}: update a2m-edge"):
            open_bundle(folder)

    def test_a_schema_without_channels_is_mono(self, folder):
        document = json.loads((folder / "manifest.json").read_text())
        del document["audio"]["channels"], document["encoder"]
        (folder / "manifest.json").write_text(json.dumps(document | {"schema": 4}))
        assert open_bundle(folder).manifest.audio.channels == 1
        (folder / "manifest.json").write_text(json.dumps(document | {"encoder": ""}))
        with pytest.raises(BundleError, match="channels"):
            open_bundle(folder)

    def test_a_schema_without_an_encoder_leaves_it_open(self, folder):
        document = json.loads((folder / "manifest.json").read_text())
        del document["encoder"]
        (folder / "manifest.json").write_text(json.dumps(document | {"schema": 5}))
        assert open_bundle(folder).manifest == replace(open_bundle(folder).manifest, encoder="", schema=SCHEMA)
        (folder / "manifest.json").write_text(json.dumps(document))
        with pytest.raises(BundleError, match="encoder is missing"):
            open_bundle(folder)

    def test_a_manifest_that_states_other_channels_than_its_vocoder_has_is_refused(self, tmp_path):
        folder = tmp_path / "stereo"
        shutil.copytree(STEREO_BUNDLE, folder)
        document = json.loads((folder / "manifest.json").read_text())
        rewrite(folder, audio=document["audio"] | {"channels": 1})
        with pytest.raises(BundleError, match="another number of channels"):
            open_bundle(folder)

    @pytest.mark.parametrize("schema", [2, 3])
    def test_graphs_that_leave_their_context_to_be_cropped_have_an_older_schema(self, folder, schema):
        rewrite(folder, schema=schema)
        told = f"has schema {schema}, older than {OLDEST_SCHEMA}, the oldest that this program reads"
        with pytest.raises(BundleError, match=told):
            open_bundle(folder)

    @pytest.mark.parametrize(
        "changes",
        [
            {"unknown": 1},
            {"schema": 0},
            {"schema": True},
            {"schema": "1"},
            {"name": ""},
            {"name": None},
            {"encoder": None},
            {"encoder": "abc"},
            {"embedding_size": 8.0},
            {"embedding_size": 0},
            {"embedding_size": 10**30},
            {"emotions": "awe"},
            {"emotions": []},
            {"emotions": ["awe", "awe"]},
            {"roles": [1]},
            {"audio": {"sample_rate": 22050}},
            {"graphs": {}},
            {"graphs": []},
            {"versions": {"torch": 2}},
            {"files": {}},
            {"files": {"bed.wav": {"sha256": "x", "size": 1}}},
        ],
    )
    def test_a_value_of_the_wrong_kind(self, folder, changes):
        rewrite(folder, **changes)
        with pytest.raises(BundleError):
            open_bundle(folder)

    @pytest.mark.parametrize(
        ("part", "key", "value"),
        [
            ("audio", "hop", 0),
            ("audio", "hop", 255),
            ("audio", "mel_high", 12000.0),
            ("audio", "mel_high", 10**400),
            ("audio", "sample_rate", 10**9),
            ("image", "resize", "stretch"),
            ("image", "std", [0.5, 0.0, 0.5]),
            ("image", "mean", [0.5, 0.5]),
            ("image", "size", 10**6),
            ("text", "pad_id", -1),
            ("text", "context_length", 1),
            ("score", "keys", 120),
            ("score", "onset_decay", 0),
            ("decoder", "window", 0),
            ("decoder", "left", -1),
            ("vocoder", "right", 1 << 40),
        ],
    )
    def test_a_value_that_makes_no_sense(self, folder, part, key, value):
        manifest = json.loads((folder / "manifest.json").read_text())
        rewrite(folder, **{part: manifest[part] | {key: value}})
        with pytest.raises(BundleError, match="not valid"):
            open_bundle(folder)

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"null",
            b"[]",
            b"{",
            b"\xff\xfe{}",
            b'{"schema": 1',
            b"[" * 100_000,
            b'{"schema": ' + b"9" * 10_000 + b"}",
        ],
    )
    def test_what_is_no_manifest(self, folder, text):
        (folder / "manifest.json").write_bytes(text)
        with pytest.raises(BundleError, match="not valid"):
            open_bundle(folder)

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", '"\\ud800"'])
    def test_what_json_does_not_have(self, folder, number):
        text = (folder / "manifest.json").read_text()
        (folder / "manifest.json").write_text(text.replace("0.5", number, 1))
        with pytest.raises(BundleError, match="not valid"):
            open_bundle(folder)

    def test_a_key_twice(self, folder):
        text = (folder / "manifest.json").read_text()
        (folder / "manifest.json").write_text(text.replace("{", '{"name": "other",', 1))
        with pytest.raises(BundleError, match="twice"):
            open_bundle(folder)

    def test_a_huge_manifest_is_not_read(self, folder):
        with (folder / "manifest.json").open("r+b") as stream:
            stream.truncate(1 << 40)
        with pytest.raises(BundleError, match="above 4 MiB"):
            open_bundle(folder)

    @given(st.data())
    @settings(max_examples=150, deadline=None)
    def test_any_value_anywhere_is_understood_or_refused(self, data):
        document = copy.deepcopy(json.loads(MANIFEST.to_json()))
        node: dict | list = document
        while True:
            key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.booleans()):
                break
            node = node[key]
        node[key] = data.draw(
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
                max_leaves=5,
            )
        )
        try:
            manifest = Manifest.from_json(json.dumps(document))
        except BundleError:
            return
        assert Manifest.from_json(manifest.to_json()) == manifest

    @given(st.binary(max_size=200) | st.text().map(str.encode))
    def test_any_bytes_are_refused(self, text):
        with pytest.raises(BundleError):
            Manifest.from_json(text)
