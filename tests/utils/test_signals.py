"""Ctrl-C and SIGTERM as a question."""

import os
import signal
import threading

import pytest

from yocto.utils.signals import stop_requested

BOTH = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_sets_a_flag_and_interrupts_nothing(number):
    with stop_requested() as stopped:
        assert not stopped()
        os.kill(os.getpid(), number)
        assert stopped()


@pytest.mark.parametrize("first", BOTH)
@pytest.mark.parametrize("second", BOTH)
def test_a_second_signal_interrupts_at_once(first, second):
    with pytest.raises(KeyboardInterrupt), stop_requested() as stopped:
        os.kill(os.getpid(), first)
        assert stopped()
        os.kill(os.getpid(), second)
        pytest.fail("the second signal did not interrupt")


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_the_handlers_are_restored_however_it_ends(error):
    before = {number: signal.getsignal(number) for number in BOTH}
    try:
        with stop_requested():
            assert all(signal.getsignal(number) != before[number] for number in BOTH)
            if error:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    assert {number: signal.getsignal(number) for number in BOTH} == before


def test_a_new_question_starts_with_the_flag_down():
    for _ in range(2):
        with stop_requested() as stopped:
            assert not stopped()
            os.kill(os.getpid(), signal.SIGINT)


def test_outside_the_main_thread_the_flag_stays_down():
    before = signal.getsignal(signal.SIGINT)
    found = []

    def work():
        with stop_requested() as stopped:
            found.append((stopped(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(False, before)]
