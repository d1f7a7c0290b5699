"""A server that took large files is as small afterwards as before, however many threads took them."""

import platform
import subprocess
import sys

import pytest

_PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from casework.large_buffers import give_back_large_buffers

def resident_mib():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20

def work(size):
    both.wait()
    for _ in range(8):
        large = [bytes(size) for _ in range(3)]
        small = [str(one) for one in range(200)]
        del large
        kept.extend(small)

if sys.argv[1] == "given back":
    give_back_large_buffers()
kept, threads = [], 6
both = Barrier(threads)
before = resident_mib()
with ThreadPoolExecutor(threads) as pool:
    list(pool.map(work, [5_000_000 + 100_000 * one for one in range(threads)]))
    print(resident_mib() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
@pytest.mark.parametrize("how", ["given back", "left alone"])
def test_what_threads_took_for_large_files_goes_back_to_the_system(how: str) -> None:
    """Left alone, glibc keeps most of it: that is what is put right."""
    told = subprocess.run([sys.executable, "-c", _PROGRAM, how], capture_output=True, text=True, check=True).stdout
    assert (float(told) < 5) is (how == "given back"), f"{told} MiB: a buffer has 5, there are eighteen"
