"""What goes round the standard library: ctypes calls, descriptors, the interpreter, limits of the process."""
