"""Work that threads share: what they add, in which order, and which error they raise."""

import _thread
import threading
import time
import weakref

import numpy as np
import pytest

from gd_regressor.arithmetic import limits, threads
from gd_regressor.arithmetic.threads import AHEAD, one_blas_thread, product, summed


def joined(a, b):
    """An addition that shows its order."""
    return a + b


@pytest.mark.parametrize("slow", [0, 1, 7])
def test_results_are_added_in_the_order_of_the_parts(slow):
    def work(part):
        time.sleep(0.05 if part == slow else 0.0)
        return [part]

    assert summed(range(12), work, joined) == list(range(12))


def test_none_counts_nothing():
    assert summed(range(6), lambda part: [part] if part % 2 else None, joined) == [1, 3, 5]
    assert summed(range(6), lambda part: None, joined) is None
    assert summed([], lambda part: part, joined) is None


def test_few_results_wait_for_a_slow_one():
    begun, gate = [], threading.Event()

    def work(part):
        begun.append(part)
        if part == 0:
            gate.wait(0.5)  # the others have all the time to run ahead
        return [part]

    timer = threading.Timer(0.2, lambda: (seen.extend(begun), gate.set()))
    seen = []
    timer.start()
    assert summed(range(40), work, joined) == list(range(40))
    timer.join()
    assert max(seen) <= AHEAD


def test_the_error_of_the_first_wrong_part_is_raised_though_a_later_one_comes_sooner():
    done = []

    def work(part):
        if part in (2, 3):
            time.sleep(0.1 if part == 2 else 0.0)
            raise ValueError(f"part {part}")
        done.append(part)
        return [part]

    for _ in range(5):
        with pytest.raises(ValueError, match="part 2"):
            summed(range(30), work, joined)
    assert max(done) <= 3 + AHEAD  # and the rest was left


def test_an_interrupt_waits_until_nobody_reads_the_parts():
    caller, reading = threading.current_thread(), []

    def work(part):
        if threading.current_thread() is caller:
            raise KeyboardInterrupt
        reading.append(part)
        time.sleep(0.1)
        reading.remove(part)

    with pytest.raises(KeyboardInterrupt):
        summed(range(30), work, joined)
    assert not reading


def test_helpers_have_the_errstate_of_the_caller():
    seen = set()

    def work(part):
        time.sleep(0.02)
        seen.add(threading.current_thread())
        return [np.geterr()["over"]]

    with np.errstate(over="call"):
        found = summed(range(20), work, joined)
    assert set(found) == {"call"}
    with one_blas_thread() as pool:
        assert len(seen) == 1 + (pool.size if pool else 0)


def test_sums_within_each_other_end():
    """A part may itself be a sum. If all threads are busy, the calling thread adds it alone."""

    def outer(part):
        return summed(range(5), lambda inner: [(part, inner)], joined)

    with one_blas_thread():
        found = summed(range(6), outer, joined)
    assert found == [(part, inner) for part in range(6) for inner in range(5)]


def test_many_sums_at_once():
    results = []

    def run():
        results.append(summed(range(20), lambda part: [part], joined))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [list(range(20))] * 8


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_product_is_that_of_arrays(dtype):
    a = np.arange(12, dtype=dtype).reshape(4, 3)
    np.testing.assert_array_equal(product(a.T, a), a.T @ a)
    np.testing.assert_array_equal(product(a, np.ones((3, 1), dtype)), a.sum(axis=1, keepdims=True))
    assert product(a, a.T).dtype == dtype


def test_errors_of_the_parts_themselves_are_not_lost():
    def parts():
        yield from range(5)
        raise OSError("no more")

    for _ in range(20):
        with pytest.raises(OSError, match="no more"):
            summed(parts(), lambda part: [part], joined)


def test_whatever_ends_a_helper_ends_the_sum():
    caller = threading.current_thread()

    def work(part):
        if threading.current_thread() is not caller:
            raise SystemExit
        time.sleep(0.02)
        return [part]

    with one_blas_thread() as pool:
        if pool is None:
            pytest.skip("one thread has no helper")
    with pytest.raises(SystemExit):
        summed(range(40), work, joined)


@pytest.fixture
def two_helpers(monkeypatch):
    """A new team of two helpers, however many processors there are."""
    monkeypatch.setattr(threads, "_team", threads._Team())
    monkeypatch.setattr(limits.Hold, "begin", lambda self: 3)


def test_helpers_work_and_stay_for_the_next_sum(two_helpers):
    gate = threading.Barrier(3)

    def work(part):
        gate.wait(30)  # all three threads are needed
        return [_thread.get_ident()]

    first = set(summed(range(3), work, joined))
    assert len(first) == 3 and _thread.get_ident() in first
    assert set(summed(range(3), work, joined)) == first


def test_nothing_keeps_the_parts_when_the_sum_is_done(two_helpers):
    class Part:
        pass

    parts = [Part() for _ in range(20)]
    left = weakref.WeakSet(parts)
    assert summed(parts, lambda part: 1, int.__add__) == 20
    del parts
    for _ in range(2000):
        if not left:
            return
        time.sleep(0.005)
    raise AssertionError(f"{len(left)} parts are left")


def test_a_sum_ends_where_no_thread_can_be_started(two_helpers, monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    assert summed(range(20), lambda part: [part], joined) == list(range(20))


@pytest.mark.parametrize("wrong", range(6))
def test_the_first_error_is_raised_whoever_meets_it(two_helpers, wrong):
    def work(part):
        time.sleep(0.001 * (part == wrong))
        if part >= wrong:
            raise ValueError(f"part {part}")
        return [part]

    for _ in range(20):
        with pytest.raises(ValueError, match=f"part {wrong}$"):
            summed(range(12), work, joined)


def test_an_error_of_the_addition_is_raised(two_helpers):
    def add(a, b):
        raise OverflowError("too much")

    with pytest.raises(OverflowError, match="too much"):
        summed(range(12), lambda part: part, add)
