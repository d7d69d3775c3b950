"""The rules of HTTP/1.1 (RFC 9110, RFC 9112): bytes in, values out. No socket, no thread, no clock."""
