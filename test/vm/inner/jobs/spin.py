"""spin.py SECONDS: uses what CPU it gets for so long; says which part of one core that was."""
import sys
import time

used = time.process_time()  # by the start of Python
began = time.monotonic()
while time.monotonic() - began < float(sys.argv[1]):
    for _ in range(1000):
        pass
print("share %.3f" % ((time.process_time() - used) / (time.monotonic() - began)), flush=True)
