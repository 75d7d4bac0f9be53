"""Forks until it may no more; says how often, and why it ended."""
import errno
import os
import signal

children = []
why = "never"
try:
    while len(children) < 200:
        child = os.fork()
        if child == 0:
            signal.pause()
        children.append(child)
except OSError as error:
    why = errno.errorcode[error.errno]
for child in children:
    os.kill(child, signal.SIGKILL)
print(len(children), why, flush=True)
