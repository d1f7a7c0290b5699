"""A thread beside the service begins when it is told to, and has ended when the service has told it to."""

import threading

from api.beside import Beside


def test_it_runs_from_start_to_stop_and_ends_after_what_it_is_doing() -> None:
    begun, done = threading.Event(), list[str]()

    def run(stopping: threading.Event) -> None:
        begun.set()
        stopping.wait()
        done.append(threading.current_thread().name)

    beside = Beside("casework-test", run)
    assert not begun.is_set(), "not before it is told to"
    beside.start()
    assert begun.wait(10)
    assert done == []
    beside.stop()
    assert done == ["casework-test"]
    beside.stop()


def test_what_is_switched_off_or_was_never_begun_has_nothing_to_end() -> None:
    off = Beside("casework-off", None)
    off.start()
    off.stop()
    Beside("casework-not-begun", lambda stopping: stopping.wait()).stop()
    assert {one.name for one in threading.enumerate()}.isdisjoint({"casework-off", "casework-not-begun"})
