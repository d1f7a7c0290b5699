"""While a great many objects are held the collector looks seldom; afterwards it looks as before."""

import gc
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from casework.storage.garbage import collected_as_before, seldom_collected


def test_threads_that_come_and_go_in_any_order_leave_the_collector_as_it_was() -> None:
    before, together = gc.get_threshold(), Barrier(2)

    def first() -> None:
        with seldom_collected():
            together.wait()  # both are inside
        together.wait()  # and the one that came first has left

    def second() -> None:
        with seldom_collected():
            together.wait()
            together.wait()
            assert gc.get_threshold() > before

    with ThreadPoolExecutor(2) as threads:
        for one in [threads.submit(first), threads.submit(second)]:
            one.result()
    assert gc.get_threshold() == before


def test_what_turns_out_to_stay_for_long_is_collected_as_before() -> None:
    before = gc.get_threshold()
    with seldom_collected():
        assert gc.get_threshold() > before
        collected_as_before()
        assert gc.get_threshold() == before
    assert gc.get_threshold() == before
