"""tpserver measured against its peers: `python -m benchmarks`.

    __main__.py        the command line
    scenarios.py       what is measured, against whom, and what is aimed at
    loads.py           measurements with wrk: requests a second and latencies, peers included
    costs.py           logs, starts, memory, pipelines, one client: each held against something beside it
    limits.py          measurements without wrk, of tpserver alone: hung threads, slow clients, memory, idleness
    apps/              the WSGI applications that every server serves alike
    servers.py         how each server is started, and which ones are installed
    bench.py           one session: its settings, and the server that is running now
    process.py         one server process: start, readiness, /proc, end
    wrk.py             one run of wrk and what it counted
    client.py          a raw HTTP client, just enough to measure with
    probe.py           a process that asks one request after another and times each
    slow_clients.py    a process that is thousands of bad clients
    bare_loop.py       tpserver's parser in a loop without an engine
    launch.py          starts the peers that have no command line of their own
    job.py             what a server is asked to do
    model.py           the words: metric, target, scenario, outcome
    report.py          outcomes as text, Markdown and JSON
    chart.py           the chart of README's Speed section
    counts.py          calls and instructions of one request: what noise does not move
    counted_server.py  the server that they are counted in
    trials/            long trials of tpserver alone
    LOG.md             what was tried, and its ratio

Standard library only; the peers, wrk and valgrind are optional, and a missing one is named and left out.
"""
