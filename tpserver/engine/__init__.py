"""The engine chooses threads: which one leads, where a request runs, and what runs next. It knows no HTTP.

Which thread calls what. *leader*: the thread that leads, also while it runs a request in place. *relieved*: one that
led, and finishes what it was at. *pool*: a thread of the pool, which runs a request. *watcher*: the watcher, which
also builds, starts and stops everything. (post): other threads have the leader do it.

    class        methods                                                     leader  relieved  pool  watcher
    -----------  ----------------------------------------------------------  ------  --------  ----  -------
    Leader       lead                                                        x
    Dispatch     has_for_leader                                              x                       x
      "          place, run_queued                                           x       x
      "          end_relieved                                                        x
      "          work                                                                          x
      "          start                                                       x       x               x
      "          release                                                             x         x     x
      "          give_back                                                   x       x         x     x
      "          drop, hand_on, promote_waiting, forget                                              x
    Waiting      check, end_all                                                                      x
    LostTasks    check                                                                               x
    Admission    next_for_leader                                             x
      "          place_for_leader                                            x       x               x
      "          admit                                                       x       x
      "          release, next_for_pool                                              x         x     x
      "          begin_relieved                                                                      x
      "          retry_after                                                 x       x         x     x
    Tasks        everything, begun, queued, waiting                          x       x         x     x
      "          remove                                                              x         x     x
      "          put_back                                                    x       x
      "          add_detour, put_last                                                                x
    Leadership   take                                                        x
      "          begin, finish                                               x       x
      "          appoint, replace, relieve, close                                                    x
    Pool         run                                                         x       x               x
      "          start, start_replacements, available, backlog, shutdown, join                       x
      "          submit: any thread; the engine does not use it
    Watcher      watch, make_round                                                                   x
      "          wake; also signal handlers                                  x       x         x     x

transport/__init__.py has the same table of what moves the bytes.
"""
