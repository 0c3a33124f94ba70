"""Child processes that end at once when their parent is killed, whatever they are doing.

A parent that is killed cannot end its children. The kernel can: it sends a signal when the last process that could
write to a pipe is gone. Unlike a parent-death signal, this depends on the parent's process and not on the thread that
started the child. Unlike a thread in the child, it also works in the middle of C code that holds the interpreter's
lock.
"""

import fcntl
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading


def kill_with_parent(descriptor: int, process: int) -> None:
    """Lets the kernel kill a process when a pipe has no writer left. Where the system cannot, this does nothing.

    Args:
        descriptor: the pipe's reading end, which the process to kill must hold as well; nothing may be written to it.
        process: the number of the process to kill.
    """
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, process)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)


def end_with_parent() -> None:
    """Ends this process, which `multiprocessing` spawned, when its parent is gone, also in the middle of its work."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        end_with_writer(parent.sentinel)


def end_with_writer(descriptor: int) -> None:
    """Ends this process when a pipe that nothing is written to has no writer left; takes its reading end."""
    kill_with_parent(descriptor, os.getpid())
    # The thread is for a parent that died before, and for systems without the signal; there C code delays the end.
    threading.Thread(target=_wait_and_exit, args=(descriptor,), daemon=True).start()


def _wait_and_exit(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
