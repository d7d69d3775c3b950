"""Long trials of tpserver alone, each of which passes or fails: `python -m benchmarks soak|garbage|slow-http|rolling`.

soak.py       all traffic at once, for as long as you like; draws memory, descriptors, threads and latency
garbage.py    100 000 connections of garbage, and what is left of them
slow_http.py  slowhttptest's four modes
rolling.py    instances, behind a proxy or by themselves, restarted one after the other under load
in_front.py   nginx and HAProxy with the files of deploy/
traffic.py    the process that makes the soak's traffic
app.py        the application that they ask
flat.py       the rule by which a soak is judged
panels.py     the picture of a soak
"""
