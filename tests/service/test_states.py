"""What a service reports to the service manager, and how it does what it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.client import PATIENCE
from tpserver.service import states
from tpserver.service.states import Control, Service, State, Status

HINT = int(states.WAIT_HINT * 1000)


class Manager:
    """Keeps what a service reports, in a thread of its own as the real one."""

    def __init__(self, service: Service) -> None:
        self.reports: list[Status] = []
        self._third = threading.Event()
        self._thread = threading.Thread(target=service.live, args=(self._take,))
        self._thread.start()
        assert service.begun.wait(PATIENCE)

    def _take(self, status: Status) -> None:
        self.reports.append(status)
        if status.check_point == 3:
            self._third.set()

    def wait_for_the_third(self) -> None:
        """Until a state has had its third check-point."""
        assert self._third.wait(PATIENCE)
        self._third.clear()

    def wait_for_the_end(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(states, "INTERVAL", 0.01)
    service = Service()
    yield service
    service.end(0)


def test_check_points_rise_while_it_starts_and_while_it_drains(service: Service) -> None:
    manager = Manager(service)
    assert service.connected
    manager.wait_for_the_third()
    with service.running(lambda: None):
        assert service.control(Control.STOP) == states.DONE
        manager.wait_for_the_third()
    service.end(0)
    manager.wait_for_the_end()
    starting = [status for status in manager.reports if status.state == State.START_PENDING]
    assert starting == [Status(State.START_PENDING, 0, 0, 0, number, HINT) for number in range(1, len(starting) + 1)]
    running = manager.reports[len(starting)]
    assert running == Status(State.RUNNING, 0x105, 0, 0, 0, 0)
    stopping = manager.reports[len(starting) + 1 : -1]
    assert stopping == [Status(State.STOP_PENDING, 0x4, 0, 0, number, HINT) for number in range(1, len(stopping) + 1)]
    assert min(len(starting), len(stopping)) >= 3
    assert manager.reports[-1] == Status(State.STOPPED, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("control", [Control.STOP, Control.SHUTDOWN, Control.PRESHUTDOWN])
def test_it_drains_when_it_is_stopped_or_the_machine_shuts_down(service: Service, control: Control) -> None:
    stops: list[str] = []
    with service.running(lambda: stops.append("stop")):
        assert service.control(control) == states.DONE
    assert stops == ["stop"]


def test_the_end_of_the_machine_does_not_wait_for_what_still_drains(service: Service) -> None:
    stops: list[str] = []
    with service.running(lambda: stops.append("stop")):
        service.control(Control.PRESHUTDOWN)
        service.control(Control.SHUTDOWN)
    assert stops == ["stop", "stop"]


def test_a_question_changes_nothing_and_what_it_does_not_know_is_refused(service: Service) -> None:
    stops: list[str] = []
    with service.running(lambda: stops.append("stop")):
        assert service.control(Control.INTERROGATE) == states.DONE
        assert service.control(2) == states.NOT_IMPLEMENTED
    assert stops == []


def test_a_failure_is_reported_with_the_exit_status_of_the_server(service: Service) -> None:
    manager = Manager(service)
    service.end(2)
    manager.wait_for_the_end()
    assert manager.reports[-1] == Status(State.STOPPED, 0, 1066, 2, 0, 0)


def test_an_error_of_windows_is_reported_as_one(service: Service) -> None:
    manager = Manager(service)
    service.end(1, 5)
    manager.wait_for_the_end()
    assert manager.reports[-1] == Status(State.STOPPED, 0, 5, 1, 0, 0)


def test_nothing_comes_after_the_end(service: Service) -> None:
    manager = Manager(service)
    with service.running(lambda: None):
        service.end(0)
        service.control(Control.STOP)
    manager.wait_for_the_end()
    assert manager.reports[-1].state == State.STOPPED
    assert [status.state for status in manager.reports].count(State.STOPPED) == 1
