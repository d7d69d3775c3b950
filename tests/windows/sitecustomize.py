"""For the Python of tests/windows/run.py: a process in a group of its own can get Ctrl-C, too.

wine has no Ctrl-Break, so tests send Ctrl-C there, which CREATE_NEW_PROCESS_GROUP turns off.
"""

import ctypes

if hasattr(ctypes.WinDLL("ntdll"), "wine_get_version"):
    ctypes.WinDLL("kernel32").SetConsoleCtrlHandler(None, 0)
