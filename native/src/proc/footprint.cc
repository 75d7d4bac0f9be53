#include "proc/footprint.h"

#include <cstdint>
#include <sys/mman.h>
#include <unistd.h>

// The linker's; end(3).
extern "C" char __executable_start, etext;

namespace pbox {

void release_text() {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t from = reinterpret_cast<uintptr_t>(&__executable_start) & ~(page - 1);
  const uintptr_t to = (reinterpret_cast<uintptr_t>(&etext) + page - 1) & ~(page - 1);
  madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
}

}  // namespace pbox
