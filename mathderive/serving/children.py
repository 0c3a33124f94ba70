"""Child processes of the server, which take 0.02 seconds of CPU time to start.

Work for strangers often has to be ended, and its process with it. A new interpreter takes a second of CPU time to
start, most of it for imports. So the server's children are forks of a process that has loaded `warm_modules` only.
"""

import multiprocessing
import os

CHILDREN = multiprocessing.get_context("forkserver")
"""Starts the children; the first one starts the process that they are forks of."""

CHILDREN.set_forkserver_preload(["mathderive.serving.warm_modules"])

QUICK_NICENESS, SLOW_NICENESS = 5, 10
"""Niceness of a child for short and for long work, above that of the server, whose model gives the answers."""

_USUAL_PRIORITY = os.getpriority(os.PRIO_PROCESS, 0)


def give_way(niceness: int, process: int = 0) -> None:
    """Lowers the priority of a child process, by default this one, to so much below the server's; never raises it.

    Raises:
        OSError: there is no such process.
    """
    if os.getpriority(os.PRIO_PROCESS, process) < _USUAL_PRIORITY + niceness:
        os.setpriority(os.PRIO_PROCESS, process, _USUAL_PRIORITY + niceness)
