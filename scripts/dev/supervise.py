"""Runs a command, and ends everything that it has started once it is gone, however it went.

    python3 -S -E scripts/dev/supervise.py COMMAND [ARGUMENT...]

Tests start boxes, daemons and virtual machines in sessions of their own, which no signal to a process group reaches. As
their subreaper (prctl(2), PR_SET_CHILD_SUBREAPER) this process stays an ancestor of each of them. SIGINT, SIGTERM and
SIGHUP are passed on to the command, which tidies up as far as it can. Exit status: the command's.
"""
import ctypes
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Helpers that wait for the end of a pipe get this long to notice it, in seconds.
QUIET_SECONDS = 1.0
#: A keeper whose box has lost its wrapper kills the box and removes its control groups.
KEEPER_SECONDS = 3.0
KEEPER = "proc_box-keeper"


def children(pid):
    """Pids of the children of every thread of a process; none where it has ended."""
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
    except OSError:
        pass  # ENOENT and ESRCH: it has just ended
    return found


def descendants(pid):
    below = children(pid)
    return below + [one for child in below for one in descendants(child)]


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


def reap():
    """Reaps what has ended. Returns whether a child is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
        return True
    except ChildProcessError:
        return False


def wait_for_all(seconds):
    until = time.monotonic() + seconds
    while reap():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def end_what_is_left():
    own = os.getpid()
    if wait_for_all(QUIET_SECONDS):
        return
    left = descendants(own)
    names = sorted({name_of(pid) for pid in left} - {""})
    sys.stderr.write(f"Ending {len(left)} processes that the tests have left: {', '.join(names)}\n")
    kill(pid for pid in left if name_of(pid) != KEEPER)
    while not wait_for_all(KEEPER_SECONDS):
        kill(descendants(own))


def main():
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    command = os.fork()
    if command == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    for number in PASSED_ON:
        signal.signal(number, lambda got, _frame: os.kill(command, got))
    status = None
    while status is None:
        pid, ended = os.waitpid(-1, 0)
        if pid == command:
            status = os.waitstatus_to_exitcode(ended)
    for number in PASSED_ON:
        signal.signal(number, signal.SIG_IGN)
    end_what_is_left()
    sys.exit(status if status >= 0 else 128 - status)


main()
