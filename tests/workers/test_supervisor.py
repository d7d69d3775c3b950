"""What the parent does about its workers: events with their time in, commands out."""

from __future__ import annotations

import pytest

from tpserver.workers.supervisor import State, Supervisor


def run(supervisor, script):
    """Each line: time, event with the number of its worker, and the commands that follow."""
    for line in script.strip().splitlines():
        time, event, expected = (part.strip() for part in line.split("|"))
        name, *numbers = event.split()
        got = getattr(supervisor, name)(*map(int, numbers), float(time)) or ()
        assert " ".join(f"{command.verb}-{command.number}" for command in got) == expected, line


SERVING = """
    0 | tick    | start-0 start-1
    1 | ready 1 |
    2 | ready 0 | commit-0 commit-1
"""


def serving(**options):
    supervisor = Supervisor(2, **options)
    run(supervisor, SERVING)
    return supervisor


def test_nobody_accepts_before_all_are_ready():
    assert [worker.state for worker in serving().workers.values()] == [State.SERVING, State.SERVING]


def test_a_start_that_fails_ends_the_whole():
    supervisor = Supervisor(3)
    run(
        supervisor,
        """
        0 | tick     | start-0 start-1 start-2
        1 | ready 0  |
        2 | exited 1 | stop-0 kill-2
        3 | exited 0 |
        3 | exited 2 |
        """,
    )
    assert supervisor.ended
    assert not supervisor.begun


def test_a_worker_that_dies_is_replaced_at_once_and_after_longer_pauses_while_it_dies_early():
    run(
        serving(),
        """
        100   | exited 0 | start-2
        101   | ready 2  | commit-2
        102   | exited 2 |
        102.4 | tick     |
        102.5 | tick     | start-3
        102.6 | exited 3 |
        103.5 | tick     |
        103.6 | tick     | start-4
        104   | ready 4  | commit-4
        105   | exited 4 |
        106.9 | tick     |
        107   | tick     | start-5
        108   | ready 5  | commit-5
        118   | exited 5 | start-6
        """,
    )


def test_the_pause_has_a_bound():
    supervisor = serving(most_pause=2)
    now = 3.0
    number = 0
    for _ in range(40):
        supervisor.exited(number, now)
        now += 2
        (command,) = supervisor.tick(now)
        assert command.verb == "start"
        number = command.number


def test_a_reload_replaces_one_after_the_other_and_an_old_one_drains_when_its_successor_accepts():
    supervisor = serving()
    run(
        supervisor,
        """
        10 | replace_all | start-2
        11 | tick        |
        12 | ready 2     | commit-2 drain-0 start-3
        13 | exited 0    |
        14 | ready 3     | commit-3 drain-1
        15 | exited 1    |
        16 | tick        |
        """,
    )
    assert list(supervisor.workers) == [2, 3]


def test_a_second_reload_drops_the_worker_that_is_being_started():
    run(
        serving(),
        """
        10 | replace_all | start-2
        11 | replace_all | kill-2 start-3
        12 | exited 2    |
        13 | ready 3     | commit-3 drain-0 start-4
        """,
    )


def test_a_reload_before_all_have_begun_replaces_them_when_they_have():
    supervisor = Supervisor(2)
    run(
        supervisor,
        """
        0 | tick        | start-0 start-1
        1 | ready 0     |
        2 | replace_all |
        3 | ready 1     | commit-0 commit-1 start-2
        4 | ready 2     | commit-2 drain-0 start-3
        5 | ready 3     | commit-3 drain-1
        """,
    )
    assert (supervisor.replacing_all, supervisor.left_old) == (False, 0)


def test_how_far_a_reload_has_come():
    supervisor = serving()
    assert (supervisor.replacing_all, supervisor.outdated) == (False, 0)
    run(supervisor, "10 | replace_all | start-2")
    assert (supervisor.replacing_all, supervisor.outdated) == (True, 2)
    run(supervisor, "11 | ready 2 | commit-2 drain-0 start-3")
    assert (supervisor.replacing_all, supervisor.outdated) == (True, 1)
    assert supervisor.importing(12, 1) == [3]
    run(supervisor, "13 | exited 3 |")
    assert (supervisor.replacing_all, supervisor.outdated, supervisor.left_old) == (False, 0, 1)
    run(
        supervisor,
        "20 | replace_all | start-4\n 21 | ready 4 | commit-4 drain-1 start-5\n 22 | ready 5 | commit-5 drain-2",
    )
    assert (supervisor.replacing_all, supervisor.outdated, supervisor.left_old) == (False, 0, 0)


def test_a_reload_that_cannot_start_leaves_the_old_workers_alone():
    supervisor = serving()
    run(
        supervisor,
        """
        10 | replace_all | start-2
        11 | exited 2    |
        20 | tick        |
        30 | replace_all | start-3
        31 | ready 3     | commit-3 drain-0 start-4
        """,
    )


def test_a_worker_that_dies_during_a_reload_is_replaced_by_a_new_one():
    run(
        serving(),
        """
        10 | replace_all | start-2
        11 | exited 0    |
        12 | ready 2     | commit-2 start-3
        13 | ready 3     | commit-3 drain-1
        14 | exited 1    |
        """,
    )


def test_a_worker_that_asks_for_it_is_replaced_and_only_once():
    run(
        serving(),
        """
        12 | retire 1 | start-2
        13 | retire 1 |
        14 | ready 2  | commit-2 drain-1
        15 | exited 1 |
        """,
    )


def test_while_code_is_written_the_old_one_drains_at_once():
    supervisor = Supervisor(1, drain_first=True)
    run(
        supervisor,
        """
        0 | tick        | start-0
        1 | ready 0     | commit-0
        2 | replace_all | drain-0 start-1
        3 | replace_all | kill-1 start-2
        4 | exited 1    |
        4 | exited 0    |
        5 | ready 2     | commit-2
        """,
    )


def test_a_worker_that_hangs_is_killed_and_replaced():
    run(
        serving(hang_timeout=6),
        """
        4    | tick     |
        6    | beat 0   |
        6    | tick     |
        8    | tick     |
        8.1  | tick     | kill-1
        8.2  | tick     |
        8.3  | exited 1 |
        10   | beat 0   |
        10   | tick     | start-2
        """,
    )


@pytest.mark.parametrize("hang_timeout", [0.5, 1, 5])
def test_a_worker_that_calls_once_a_second_does_not_hang(hang_timeout):
    supervisor = serving(hang_timeout=hang_timeout)
    run(supervisor, "3 | tick |\n 5 | tick |\n 7 | tick |\n 7.1 | tick | kill-0 kill-1")


def test_a_pause_of_the_whole_machine_makes_no_worker_hang():
    run(
        serving(hang_timeout=5),
        """
        3    | tick |
        4    | tick |
        90   | tick |
        92   | tick |
        94   | tick |
        95   | tick |
        95.1 | tick | kill-0 kill-1
        """,
    )


def test_a_kill_says_why():
    supervisor = serving(hang_timeout=60, drain_timeout=30)
    for now in range(3, 62):
        supervisor.beat(0, now)
        supervisor.tick(now)
    assert supervisor.tick(63) == [("kill", 1, "has given no sign of life for 60 s (--hang-timeout)")]
    supervisor.stop(63)
    assert supervisor.tick(104)[0] == ("kill", 0, "has not ended 10 s after its time to drain")
    assert supervisor.stop(105) == [("kill", 0, ""), ("kill", 1, "")]


def test_a_worker_whose_interpreter_runs_lives_though_its_requests_hang():
    supervisor = serving()
    supervisor.heard(1, 20)
    assert supervisor.lives(22, 2)
    assert not supervisor.lives(22.1, 2)
    assert supervisor.silent(22, 2) == [supervisor.workers[0]]
    supervisor.stop(22)
    assert not supervisor.lives(22, 2)
    supervisor.tick(62.1)
    assert [command.verb for command in supervisor.tick(62.2)] == []
    assert supervisor.silent(99, 2) == []  # both were killed


def test_workers_that_soon_ask_to_be_replaced_are_replaced_after_longer_pauses():
    run(
        Supervisor(1),
        """
        0    | tick     | start-0
        1    | ready 0  | commit-0
        2    | retire 0 |
        2.4  | tick     |
        2.5  | tick     | start-1
        3    | ready 1  | commit-1 drain-0
        4    | retire 1 |
        4.5  | retire 1 |
        4.9  | tick     |
        5    | tick     | start-2
        6    | ready 2  | commit-2 drain-1
        16   | retire 2 | start-3
        17   | ready 3  | commit-3 drain-2
        18   | retire 3 |
        18.5 | tick     | start-4
        """,
    )


def test_a_worker_that_imports_for_long_does_not_hang():
    supervisor = Supervisor(1, hang_timeout=5)
    run(supervisor, "0 | tick | start-0\n 100 | tick |\n 101 | ready 0 | commit-0\n 102 | tick |")


def test_a_worker_that_drains_for_too_long_is_killed():
    run(
        serving(drain_timeout=30),
        """
        12   | retire 0 | start-2
        13   | ready 2  | commit-2 drain-0
        53   | tick     |
        53.1 | tick     | kill-0
        54   | exited 0 |
        """,
    )


def test_a_stop_drains_all_and_starts_none():
    supervisor = serving()
    run(
        supervisor,
        """
        10 | exited 1    |
        20 | stop        | stop-0
        21 | replace_all |
        22 | tick        |
        23 | exited 0    |
        """,
    )
    assert supervisor.ended


def test_a_second_stop_does_not_wait():
    run(serving(), "10 | stop | stop-0 stop-1\n 11 | exited 0 |\n 12 | stop | kill-1\n 13 | exited 1 |")


def test_a_stop_does_not_wait_for_an_import():
    run(Supervisor(2), "0 | tick | start-0 start-1\n 1 | ready 0 |\n 2 | stop | stop-0 kill-1")


def test_a_worker_that_does_not_stop_is_killed():
    run(serving(drain_timeout=30), "10 | stop | stop-0 stop-1\n 20 | exited 1 |\n 50.5 | tick | kill-0")


def test_one_that_drains_already_is_not_told_to_stop():
    run(
        serving(),
        """
        12 | retire 0 | start-2
        13 | ready 2  | commit-2 drain-0
        14 | stop     | stop-1 stop-2
        15 | stop     | kill-0 kill-1 kill-2
        """,
    )
