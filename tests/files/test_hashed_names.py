"""Which names carry a hash of the content: what bundlers and frameworks write, and what people write."""

from __future__ import annotations

import random
import string

import pytest

from tpserver.files.hashed_names import is_hashed

HASHED = [
    "app.3f2a9c1b.js",  # Parcel, webpack
    "main.8d2c1f3e.chunk.css",
    "787.28cb0dcd.chunk.js",
    "main.3f2a9c1b.js.map",
    "main.3f2a9c1b.js.LICENSE.txt",
    "2.3f2a9c1b.min.js",
    "logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg",  # create-react-app
    "6ce24c58023cc2f8fd88fe9d219db6c6.png",  # file-loader
    "5e1b7c9d0a2f4e6b8c3d.woff2",  # webpack 5
    "styles.a1b2c3d4e5f60718.css",  # Angular
    "base.6ce24c58023c.css",  # Django, WhiteNoise: twelve digits of an MD5
    "jquery.min.1f2e3d4c5b6a.js",
    "application-908e25f4bf641868d8683022a5b62f54e8e2a1c0b7d3f9a4b5c6d7e8f9a0b1c2.css",  # Rails
    "main-BX3kLq9Z.css",  # Vite, Rollup
    "index-C3v8xQdA.js",
    "chunk.D7_k2Lx-.mjs",
    "index-B-x3kQ9f.js",
    "chunk-XRYN7PFK.js",  # esbuild
    "app.3f2a9c1b.js.gz",  # a sidecar of one
    "photo-5e1b7c9d0a2f.jpg",
    "550e8400e29b11d4a71644665544abcd.png",  # 32 digits that are no uuid4().hex
    "app-5e1b7c9d0a2f.js.map",
    "manual.6ce24c58023c.pdf",  # Django
]

PLAIN = [
    "app.js",
    "index.html",
    "main.3f2a9c1b.html",  # a page keeps its address
    "3f2a9c1b.js",  # too short for a hash alone
    "deadbeef.js",
    "lib-20240131.js",  # a date
    "photo-20240131123059.jpg",
    "backup.1234567890123456.tar",
    "IMG_20240131.jpg",
    "jquery.1.12.4.min.js",
    "bootstrap-5.3.0.bundle.min.js",
    "react.production.min.js",
    "lib-1a2b3c4.js",  # seven
    "music-decade90.mp3",  # a word and a number
    "face-facade00.png",
    "my-DataGrid.js",
    "jquery-Html5App.js",
    "case-iPhone5s.jpg",
    "slide-Picture1.png",
    "user-Version2.css",
    "x-v1-2-3-4.js",
    "NOTES-RELEASE2.txt",
    "README-CHANGES2.md",
    "report-2024face.pdf",
    "avatar-550e8400-e29b-41d4-a716-44665544abcd.png",  # a number for the thing
    "550e8400-e29b-41d4-a716-44665544abcd.png",
    "phone-001a2b3c4d5e.cfg",  # a hardware address
    "invoice-2024a01b.pdf",
    "report-2024Q1v2.pdf",
    "data-BX3kLq9Z.json",
    "font_CHUNKX2K7.txt",
    "Module-iOS17Fix.js",
    "507f1f77bcf86cd799439011.jpg",  # ObjectId
    "photo-507f1f77bcf86cd799439011.jpg",
    "upload.507f1f77bcf86cd799439011.js",
    "550e8400e29b41d4a71644665544abcd.png",  # uuid4().hex
    "avatar-550e8400e29b41d4a71644665544abcd.png",
    "app.550e8400e29b41d4a71644665544abcd.js",
    "video.123456789012.mp4",
    "12345678901234567890.jpg",
    "underscore_separated_name.js",
    "some-ordinary-name.css",
    "inter-v12-latin-regular.woff2",
    "fa-solid-900.woff2",
    "app.3f2a9c1b",  # no extension
    ".3f2a9c1b.js",
    "app.\u0663f2a9c1b.js",
    "",
    ".",
    "...",
]


@pytest.mark.parametrize("name", HASHED)
def test_a_name_with_a_hash(name: str) -> None:
    assert is_hashed(name)


@pytest.mark.parametrize("name", PLAIN)
def test_a_name_without(name: str) -> None:
    assert not is_hashed(name)


@pytest.mark.parametrize(("extension", "least", "most"), [("js", 0.72, 0.80), ("css", 0.72, 0.80), ("png", 0.46, 0.56)])
def test_how_many_of_vites_hashes_are_recognized(extension: str, least: float, most: float) -> None:
    """docs/static-files.md says how many."""
    chance = random.Random(4)
    alphabet = string.ascii_letters + string.digits + "-_"
    names = [f"index-{''.join(chance.choices(alphabet, k=8))}.{extension}" for _ in range(4000)]
    assert least < sum(map(is_hashed, names)) / len(names) < most
