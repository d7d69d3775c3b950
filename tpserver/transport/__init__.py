"""The transport moves bytes between sockets and the engine. It starts no thread, and knows no HTTP.

`protocol.py` says what the transport and the engine ask of a protocol. Which thread calls what: the columns are those
of the table in engine/__init__.py. (post): other threads have the leader do it.

    class        methods                                                     leader  relieved  pool  watcher
    -----------  ----------------------------------------------------------  ------  --------  ----  -------
    Connections  poll, accept, settle, watch, send_on, drop,                 x
      "          sweep                                                       x
      "          take_back (post), watch_for_room (post),                    x
      "          begin_drain (post)                                          x
      "          refuse, introduce                                           x       x
      "          give_back                                                   x       x         x     x
      "          awaited, drained, close                                                             x
    Connection   progress, send_on, has_come, hold, end_sending, close       x
      "          send, receive, write_file, reset, client_left               x       x         x
      "          write, flush, abort, client_gone, client_side,              x       x         x     x
      "          sending, held, taken                                        x       x         x     x
      "          cut_off                                                                             x
    Outbox       send_on                                                     x
      "          take_files                                                  x
      "          append_file, watch, leave                                   x       x         x
      "          append, send, discard, device                               x       x         x     x
    Mailbox      deliver, silence                                            x
      "          post, wake; also signal handlers                            x       x         x     x
      "          close                                                                               x

A connection has one owner: of the threads in a row, the one that owns it calls. At the end the watcher closes them all.
"""
