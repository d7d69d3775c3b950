"""What a server tells about itself: the figures of one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tpserver.engine.server import Server


def figures(server: Server) -> dict[str, Any]:
    """Counts since the start unless they are of the moment; times in seconds. Any thread may call.

    Nothing stops while they are read, so two of them may be of two moments. By cause:

    - `refused` has what was answered with a refusal, of the server's and not of the application's. 503:
      "connection limit", "connection limit of one address" (both before anything was read), "queue full" and
      "queue timeout". 408: "head timeout" and "slow body". And what the protocol cannot or will not read, in its
      words; for HTTP those of the status: "bad request" (400), "content too large" (413), "uri too long" (414),
      "request header fields too large" (431) and so on; "no room for content" is 503. A content that the application
      reads while it arrives is the application's to answer for, and not in here.
    - `ended` has what ended with nothing said: "idle timeout" (between two requests), "no request" (nothing came on
      a new connection), "slow reader" (of what was left to send when its request had run), "client gone" (while that
      was in line).
    """
    admission, leading = server.admission, server.leadership.attending is not None
    quick, waiting, computing = admission.lengths
    return {
        "threads": {
            "limit": admission.threads,
            "busy": admission.running,
            "in_place": int(leading and server.in_application),
        },
        "queue": {
            "limit": admission.queue,
            "waiting": quick + waiting + computing,
            "quick": quick,
            "slow": waiting,
            "computing": computing,
            "mean_seconds": admission.mean,
        },
        "connections": {"limit": server.max_connections, **server.connection_states()},
        "requests": {
            "handled": server.handled,
            "in_pool": server.pooled,
            "promotions": max(server.leadership.number - 1, 0),
            "slow": server.running.slow_ones,
        },
        "refused": server.refused.counts(),
        "ended": server.ended.counts(),
        "routes": server.placement.figures(),
    }
