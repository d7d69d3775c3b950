"""`--tls self-signed`: a certificate for development."""

from __future__ import annotations

import os
import ssl
import stat
import sys
import time
from pathlib import Path

import pytest

from tests.running import Start
from tests.tls.client import TLSClient
from tests.tls.test_requests import variables
from tpserver.errors import StartError
from tpserver.tls import self_signed


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder for caches."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    return tmp_path / "tpserver"


def test_it_is_for_the_names_and_addresses_of_this_machine(
    start: Start, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cryptography.x509", exc_type=ImportError)
    monkeypatch.setattr(self_signed, "reachable_at", lambda host: ["192.0.2.7", "2001:db8::7"])
    server = start(variables, tls="self-signed")
    assert server.server.url.startswith("https://")
    (path,) = cache.iterdir()
    for name in ("localhost", "127.0.0.1", "::1", "192.0.2.7", "2001:db8::7"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(str(path))
        with TLSClient(server, context, name=name) as client:
            assert client.ask("/").status == 200
            assert client.tls.cipher()[0].endswith(("AES_256_GCM_SHA384", "AES_128_GCM_SHA256", "POLY1305_SHA256"))


def test_it_is_kept_for_the_next_start_and_renewed_in_time(cache: Path) -> None:
    pytest.importorskip("cryptography.x509", exc_type=ImportError)
    path = Path(self_signed.self_signed_file())
    first = path.read_bytes()
    assert Path(self_signed.self_signed_file()).read_bytes() == first
    old = time.time() - 301 * 24 * 3600
    os.utime(path, (old, old))
    assert Path(self_signed.self_signed_file()).read_bytes() != first
    assert list(cache.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes of files; the folder is the user's")
def test_its_key_is_for_the_user_alone(cache: Path) -> None:
    pytest.importorskip("cryptography.x509", exc_type=ImportError)
    path = self_signed.self_signed_file()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_it_needs_no_folder_for_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cryptography.x509", exc_type=ImportError)
    (tmp_path / "file").write_text("")
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert "BEGIN CERTIFICATE" in Path(self_signed.self_signed_file()).read_text()


def test_other_addresses_make_another_one(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cryptography.x509", exc_type=ImportError)
    first = self_signed.self_signed_file()
    monkeypatch.setattr(self_signed, "reachable_at", lambda host: ["192.0.2.99"])
    assert self_signed.self_signed_file() != first


def test_what_to_install_is_said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(self_signed, "import_module", missing)
    with pytest.raises(StartError, match=r'python -m pip install "tpserver\[tls\]"'):
        self_signed.self_signed_file()
