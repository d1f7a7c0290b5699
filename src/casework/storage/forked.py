"""Values that a second process makes ahead: a fork, which has all that this one has, and hands them over by a pipe.

For a process of one thread's work that holds much and would otherwise make it all on one core (decision 0081). The fork
asks no database: its connections are those of the process that it was forked from, which goes on with them.
"""

import mmap
import os
import pickle
import signal
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fcntl import fcntl
from functools import cache
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Final, NoReturn, TypeVar

from casework.storage.driver_errors import is_out_of_memory

Made = TypeVar("Made")
AHEAD_FROM: Final = 2_500
"""Loans, commands: for fewer, beginning a second process costs what it saves."""
_SET_PIPE_SIZE: Final = 1031  # F_SETPIPE_SZ, Linux
_AHEAD_BYTES: Final = 1 << 20  # how far it may be ahead; what everybody may ask for
_ROOM_BYTES: Final = 16 << 20  # the largest library that an import maps while it goes on, and some
_PLACES: Final = "casework_places"
ENDED_SHORT: Final = -signal.SIGABRT
"""How a process ends where memory is so short that it cannot say so, by its own hand or by a library's."""
_MAKES, _BROKE, _DONE = 0, 1, 2


class ForkEnded(RuntimeError):
    """The second process ended before its work was done; `code` is its exit code, a signal's below 0."""

    def __init__(self, code: int) -> None:
        super().__init__(f"a second process ended with {code}")
        self.code = code


@contextmanager
def made_ahead(make: Iterable[Made]) -> Iterator[Iterator[Made]]:
    """What `make` yields, in order, made by a fork while this process works with what came before.

    What is raised there is raised here; `ForkEnded` where the fork ends without a word. It is gone when this returns.
    Each value is pickled; `make` must ask no database.
    """
    ours, its = Pipe(duplex=False)
    with suppress(OSError):  # more than this system allows: then it is less far ahead
        fcntl(its.fileno(), _SET_PIPE_SIZE, _AHEAD_BYTES)
    pid = os.fork()
    if pid == 0:
        ours.close()  # or it would not notice that nobody takes what it makes
        _make(make, its)
    its.close()

    @cache
    def wait() -> int:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def heard() -> Iterator[Made]:
        while True:
            try:
                what, made = pickle.loads(ours.recv_bytes())  # noqa: S301  # our own fork's
            except EOFError:
                raise ForkEnded(wait()) from None
            if what == _BROKE:
                raise _as_there(*made)
            if what == _DONE:
                return
            yield made

    try:
        yield heard()
    finally:
        ours.close()
        if not wait.cache_info().currsize:
            os.kill(pid, signal.SIGKILL)
            wait()


def _make(make: Iterable[Any], its: Connection) -> NoReturn:
    """All of it, and the end of this process: nothing of the one that it was forked from is taken down here."""
    code = 1
    try:
        try:
            for made in make:
                _say(its, _MAKES, made)
            _say(its, _DONE, None)
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001  # who waits for it is told, whatever it is
            _say(its, _BROKE, _told(error))
        code = 0
    except MemoryError:  # there is none left to tell of it either
        os.abort()
    finally:
        os._exit(code)


def _say(its: Connection, what: int, value: Any) -> None:
    its.send_bytes(pickle.dumps((what, value), pickle.HIGHEST_PROTOCOL))


def _told(error: Exception) -> tuple[type[Exception], tuple[Any, ...], dict[str, Any]]:
    if is_out_of_memory(error) or is_full():
        error = MemoryError()
    told = type(error), error.args, {**vars(error), _PLACES: places_of(error)}
    try:
        pickle.dumps(told)
    except Exception:  # noqa: BLE001  # it holds what cannot be handed over: then its kind and its place alone
        return RuntimeError, (type(error).__name__,), {_PLACES: places_of(error)}
    return told


def _as_there(kind: type[Exception], args: tuple[Any, ...], state: dict[str, Any]) -> Exception:
    """The error as it was, whatever its kind asks for when one is made."""
    error = kind.__new__(kind)
    error.args = args
    vars(error).update(state)
    return error


def places_of(error: BaseException) -> list[str]:
    """The places that an error came through, those in a second process too: `file:line:function`, no values."""
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    here = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}:{frame.name}" for frame in frames]
    return here + list(vars(error).get(_PLACES, ()))


def is_full() -> bool:
    """Whether this process is at its limit of memory: there, a library that is not mapped fails in words of its own."""
    try:
        mmap.mmap(-1, _ROOM_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, MemoryError):
        return True
    return False
