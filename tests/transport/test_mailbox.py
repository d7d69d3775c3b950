"""What other threads have the leader do, and how they wake it."""

from __future__ import annotations

import select
import threading

import pytest

from tests.rounds import rounds
from tpserver.transport.mailbox import Mailbox


@pytest.fixture
def mailbox():
    mailbox = Mailbox()
    yield mailbox
    mailbox.close()


def woken(mailbox, timeout=0.0):
    return bool(select.select([mailbox.fd], [], [], timeout)[0])


def test_it_is_quiet_until_woken_and_again_after_silence(mailbox):
    assert not woken(mailbox)
    for _ in range(3):
        mailbox.wake()
        assert woken(mailbox, 20)
        mailbox.silence()
        assert not woken(mailbox)


def test_many_calls_are_silenced_at_once(mailbox):
    for _ in range(rounds(100_000)):  # more than a socket holds
        mailbox.wake()
    assert woken(mailbox, 20)
    mailbox.silence()
    assert not woken(mailbox)


def test_silence_without_a_call_is_harmless(mailbox):
    mailbox.silence()
    assert not woken(mailbox)


def test_many_threads_call_and_none_is_missed(mailbox):
    asked = [0] * 8
    seen = [0] * 8

    def ask(which):
        for _ in range(2000):
            asked[which] += 1
            mailbox.wake()

    threads = [threading.Thread(target=ask, args=(which,)) for which in range(8)]
    for thread in threads:
        thread.start()
    while sum(seen) < 8 * 2000:
        assert woken(mailbox, 20), "a call was lost"
        mailbox.silence()
        seen = list(asked)
    for thread in threads:
        thread.join()


def test_a_call_after_the_end_is_harmless():
    mailbox = Mailbox()
    mailbox.close()
    mailbox.wake()
    mailbox.wake()


def test_a_call_that_cannot_be_sent_is_harmless(mailbox):
    mailbox._sending.close()
    mailbox.wake()


def test_what_is_posted_is_done_in_order_and_once(mailbox):
    done = []
    for number in range(3):
        mailbox.post(done.append, number)
    assert len(mailbox.posts) == 3
    mailbox.deliver()
    mailbox.deliver()
    assert (done, len(mailbox.posts)) == ([0, 1, 2], 0)


@pytest.mark.parametrize("sleeping", [True, False])
def test_only_a_leader_that_sleeps_is_woken(mailbox, sleeping):
    mailbox.sleeping = sleeping
    mailbox.post(print, "")
    assert woken(mailbox) == sleeping


def test_what_an_action_posts_is_done_in_the_next_turn(mailbox):
    mailbox.post(lambda _: mailbox.post(done.append, 1), None)
    done = []
    mailbox.deliver()
    assert (done, len(mailbox.posts)) == ([], 1)
    mailbox.deliver()
    assert done == [1]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_action_that_fails_ends_the_leader_and_the_next_one_does_the_rest(mailbox, error):
    def fail(_):
        raise error

    done = []
    mailbox.post(fail, None)
    mailbox.post(done.append, 1)
    with pytest.raises(error):
        mailbox.deliver()
    mailbox.deliver()
    assert done == [1]
