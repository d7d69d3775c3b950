"""What a server asks of the system for its process."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from tpserver.system.interpreter import has_lock
from tpserver.system.process import raise_file_limit

# Eight threads want memory at the same time; then the C library says how many heaps it has.
_COUNT_HEAPS = """
import ctypes, os, sys, threading
from tpserver.system.process import share_heaps

shared = share_heaps()
together = threading.Barrier(8)
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.open_memstream.restype = ctypes.c_void_p


def want():
    together.wait(20)
    ctypes.c_void_p(libc.malloc(100_000))
    together.wait(20)


threads = [threading.Thread(target=want) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
text, size = ctypes.c_char_p(), ctypes.c_size_t()
stream = ctypes.c_void_p(libc.open_memstream(ctypes.byref(text), ctypes.byref(size)))
libc.malloc_info(0, stream)
libc.fclose(stream)
print(shared, text.value.count(b"<heap "))
"""

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has heaps for threads")


def heaps(**environment: str) -> tuple[bool, int]:
    """Whether they are shared, and how many there are."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", _COUNT_HEAPS], capture_output=True, text=True, timeout=30, env={**rest, **environment}
    )
    assert done.returncode == 0, done.stderr
    shared, number = done.stdout.split()
    return shared == "True", int(number)


@glibc
@pytest.mark.skipif(not has_lock(), reason="threads that run in parallel have heaps of their own")
def test_threads_share_two_heaps() -> None:
    assert heaps() == (True, 2)


@glibc
def test_what_the_environment_says_of_heaps_stands() -> None:
    shared, number = heaps(MALLOC_ARENA_MAX="4")
    assert (shared, number > 2) == (False, True)


@glibc
def test_what_glibcs_tunables_say_of_heaps_stands() -> None:
    shared, number = heaps(GLIBC_TUNABLES="glibc.malloc.arena_max=4")
    assert (shared, number > 2) == (False, True)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_where_unlimited_files_are_refused_it_takes_what_macos_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    limits = [(256, resource.RLIM_INFINITY)]

    def set_limit(_: int, wanted: tuple[int, int]) -> None:
        if wanted[0] == resource.RLIM_INFINITY:
            raise ValueError("current limit exceeds maximum limit")
        limits.append(wanted)

    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    raise_file_limit()
    assert limits[-1] == (10240, resource.RLIM_INFINITY)
    raise_file_limit()
    assert limits[-1] == (10240, resource.RLIM_INFINITY)
    assert len(limits) == 2
