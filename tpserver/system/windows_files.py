"""Windows: files that may be renamed and deleted while they are open here, and what a path really leads to.

Other systems have no functions of this file: a caller asks `sys.platform` first.
"""

from __future__ import annotations

import os
import sys
from typing import Final

if sys.platform == "win32":
    import _winapi
    import ctypes
    import msvcrt
    from ctypes import wintypes

    _KERNEL: Final = ctypes.WinDLL("kernel32", use_last_error=True)
    _KERNEL.FindFirstFileW.restype = wintypes.HANDLE
    _KERNEL.FindFirstFileW.argtypes = wintypes.LPCWSTR, ctypes.c_void_p
    _KERNEL.FindClose.argtypes = (wintypes.HANDLE,)
    _KERNEL.GetFinalPathNameByHandleW.argtypes = wintypes.HANDLE, wintypes.LPWSTR, wintypes.DWORD, wintypes.DWORD

    # Rights and flags of CreateFile (winnt.h, fileapi.h).
    _APPEND: Final = 0x4 | 0x80 | 0x100000  # FILE_APPEND_DATA, FILE_READ_ATTRIBUTES, SYNCHRONIZE
    _SHARE_READ_WRITE: Final = 0x1 | 0x2
    _SHARE_DELETE: Final = 0x4
    _OPEN_ALWAYS: Final = 4
    _BACKUP_SEMANTICS: Final = 0x02000000  # opens folders, too
    _LONGEST: Final = 32768

    def _opened(path: str, access: int, share: int, creation: int, attributes: int, flags: int) -> int:
        handle = _winapi.CreateFile(path, access, share, 0, creation, attributes, 0)
        try:
            return msvcrt.open_osfhandle(handle, flags | os.O_NOINHERIT | os.O_BINARY)
        except OSError:
            _winapi.CloseHandle(handle)
            raise

    def open_to_read(path: str) -> int:
        """A descriptor of a file. Others may write, rename and delete it meanwhile. Raises OSError."""
        share = _SHARE_READ_WRITE | _SHARE_DELETE
        return _opened(path, _winapi.GENERIC_READ, share, _winapi.OPEN_EXISTING, 0, os.O_RDONLY)

    def open_to_append(path: str) -> int:
        """A descriptor that appends to a file, which is made where there is none; the rest as `open_to_read`."""
        share = _SHARE_READ_WRITE | _SHARE_DELETE
        return _opened(path, _APPEND, share, _OPEN_ALWAYS, 0, os.O_WRONLY | os.O_APPEND)

    def open_folder(path: str) -> int:
        """A descriptor of a folder, which cannot be renamed or deleted while it is open. Raises OSError."""
        access, existing = _winapi.GENERIC_READ, _winapi.OPEN_EXISTING
        return _opened(path, access, _SHARE_READ_WRITE, existing, _BACKUP_SEMANTICS, os.O_RDONLY)

    def final_path(descriptor: int) -> str:
        """The path of what is open, without links, in the form of `os.path.realpath`. Raises OSError."""
        text = ctypes.create_unicode_buffer(_LONGEST)
        if not _KERNEL.GetFinalPathNameByHandleW(msvcrt.get_osfhandle(descriptor), text, _LONGEST, 0):
            raise ctypes.WinError(ctypes.get_last_error())
        return without_prefix(text.value)

    def stored_name(path: str) -> str:
        """The last part of a path as the folder has it: in its case, and not the short one. Raises OSError."""
        found = wintypes.WIN32_FIND_DATAW()
        handle = _KERNEL.FindFirstFileW(path, ctypes.byref(found))
        if handle == wintypes.HANDLE(-1).value:
            raise ctypes.WinError(ctypes.get_last_error())
        _KERNEL.FindClose(handle)
        return str(found.cFileName)


def without_prefix(path: str) -> str:
    r"""A path without the prefix of long ones: `\\?\C:\a` -> `C:\a`, `\\?\UNC\host\share` -> `\\host\share`."""
    if path.startswith("\\\\?\\UNC\\"):
        return "\\" + path[7:]
    return path.removeprefix("\\\\?\\")
