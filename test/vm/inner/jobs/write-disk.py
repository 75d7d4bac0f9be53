"""write-disk.py DEVICE MIB: writes past the page cache; says how many seconds it took."""
import mmap
import os
import sys
import time

block = mmap.mmap(-1, 2**20)  # aligned, as O_DIRECT wants it
disk = os.open(sys.argv[1], os.O_WRONLY | os.O_DIRECT)
began = time.monotonic()
for _ in range(int(sys.argv[2])):
    os.write(disk, block)
print("seconds %.2f" % (time.monotonic() - began), flush=True)
