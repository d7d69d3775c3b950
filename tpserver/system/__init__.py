"""Access to the system below the standard library: ctypes calls, descriptors, the interpreter, process limits."""
