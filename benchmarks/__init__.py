"""tpserver measured against its peers: `python -m benchmarks`.

    __main__.py      the command line
    scenarios.py     what is measured, against whom, and what is aimed at
    loads.py         measurements with wrk: requests a second and latencies, peers included
    trials.py        measurements without wrk: hung threads, slow clients, memory, idleness
    apps.py          the WSGI applications that every server serves alike
    servers.py       how each server is started, and which ones are installed
    bench.py         one session: the settings, and the server that is running now
    process.py       one server process: start, readiness, /proc, end
    wrk.py           one run of wrk and what it counted
    client.py        a raw HTTP client, just enough to measure with
    probe.py         a process that asks one request after another and times each
    slow_clients.py  a process that is thousands of bad clients
    launch.py        starts the peers that have no command line of their own
    model.py         the words: metric, target, scenario, outcome
    report.py        outcomes as text, Markdown and JSON

Standard library only; the peers and wrk are optional, and a missing one is named and left out.
"""
