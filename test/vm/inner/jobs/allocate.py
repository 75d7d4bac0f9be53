"""allocate.py MIB: touches so much memory, then says so."""
import sys

blocks = []
for _ in range(int(sys.argv[1])):
    blocks.append(bytearray(b"x" * 2**20))
print("allocated", len(blocks), flush=True)
