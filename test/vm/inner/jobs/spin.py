"""spin.py SECONDS: uses what CPU it gets for so long; says which part of one core that was."""
import sys
import time

began = time.monotonic()
while time.monotonic() - began < float(sys.argv[1]):
    for _ in range(1000):
        pass
print("share %.3f" % (time.process_time() / (time.monotonic() - began)), flush=True)
