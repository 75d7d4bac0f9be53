#include "keeper/adopted_output.h"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/clock.h"
#include "proc/text_file.h"
#include "proc/tree.h"

namespace pbox {
namespace {

// A main thread that has ended shows no descriptors, so this may be the directory of another thread.
std::string proc(int pid, const char* name) { return process_directory(pid) + "/" + name; }

}  // namespace

AdoptedOutput::~AdoptedOutput() {
  if (file_ >= 0) close(file_);
}

void AdoptedOutput::open(int pid) {
  struct stat out {};
  pid_ = pid;
  file_ = ::open(proc(pid, "fd/1").c_str(), O_PATH | O_CLOEXEC);
  if (file_ >= 0 && (fstat(file_, &out) != 0 || !S_ISREG(out.st_mode))) {
    close(file_);
    file_ = -1;
  }
  if (file_ < 0) return;
  uint64_t offset = 0;
  bool append = false;
  read_descriptor(&offset, &append);
  const auto size = static_cast<uint64_t>(out.st_size);
  written_.start(offset, size, append, monotonic_ms());
  at_end_ = append || offset == size;
}

bool AdoptedOutput::read_descriptor(uint64_t* offset, bool* append) const {
  const std::string text = read_text_file(proc(pid_, "fdinfo/1"));
  const size_t flags = text.find("flags:");
  if (text.rfind("pos:", 0) != 0 || flags == std::string::npos) return false;
  *offset = std::strtoull(text.c_str() + 4, nullptr, 10);
  *append = std::strtoul(text.c_str() + flags + 6, nullptr, 8) & O_APPEND;
  return true;
}

uint64_t AdoptedOutput::bytes() {
  struct stat out {};
  if (file_ < 0 || fstat(file_, &out) != 0) return written_.bytes();
  const auto size = static_cast<uint64_t>(out.st_size);
  uint64_t offset = size;
  bool append = true;
  if (!(ended_ && at_end_) && !read_descriptor(&offset, &append)) return written_.bytes();
  return written_.look(offset, size, append, monotonic_ms());
}

}  // namespace pbox
