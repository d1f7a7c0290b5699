"""How many files a process of the service may have open, and how many connections that leaves room for."""

import resource

from casework.errors import CallerError

FILES_KEPT = 256
"""For all that is no ordinary connection: the database's pools, keys, the log's tiles, uploads and exports, logs and
counters, and the connections in which health alone is asked (`tests/api/test_crowded.py` counts them)."""
LEAST_CONNECTIONS = 16


def raise_file_limit(connections: int) -> None:
    """Let this process, and those that it begins, open as many files as so many connections need, where it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + FILES_KEPT
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def room_for(connections: int) -> int:
    """So many connections, or fewer where the limit on files asks for it; CallerError `file_limit_low`."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = connections if files == resource.RLIM_INFINITY else min(connections, files - FILES_KEPT)
    if room < LEAST_CONNECTIONS:
        least = FILES_KEPT + LEAST_CONNECTIONS
        raise CallerError(
            "file_limit_low", f"可打开文件数上限为 {files}，至少须为 {least}（ulimit -n）",
            f"this process may open {files} files and needs {least} (ulimit -n)", at_least=least,
        )  # fmt: skip
    return room
