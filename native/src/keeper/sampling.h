// Samples of a box: the figures of its groups' files, the list of its processes, and a walk over them. A walk goes on in small
// steps between the other work of the keeper.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proc/sample.h"
#include "wire/wrapper_connection.h"

namespace pbox {

// Files that are read for every sample. They stay open, because opening costs five times as much as reading.
class OpenGroupFiles {
 public:
  OpenGroupFiles() = default;
  ~OpenGroupFiles() { close(); }
  OpenGroupFiles(const OpenGroupFiles&) = delete;
  OpenGroupFiles& operator=(const OpenGroupFiles&) = delete;
  // Returns 0 or the errno.
  int read(const std::string& path, std::string& text);
  void close();

 private:
  std::map<std::string, int> fds_;
};

// What a sample needs to know of its box.
class SampledBox {
 public:
  virtual ~SampledBox() = default;
  virtual UsageBody sampled_usage() = 0;
  // A walk over the processes of the box.
  virtual std::unique_ptr<TreeWalk> walk(size_t rows, bool pss) = 0;
  // Takes out what the processes had used before they were in the box.
  virtual void since_start(Tree&) {}
  virtual int main_pid() const = 0;
};

class Sampling {
 public:
  // A Request::sample has arrived. The reply follows at once, or from step().
  void ask(SampledBox& box, WrapperConnection& from, uint32_t id, Reader body);
  // Walks remain to be done: step() is due.
  bool busy() const { return !waiting_.empty(); }
  void step(SampledBox& box);
  void close_files() { files_.close(); }

 private:
  struct Sample {
    WrapperConnection* to;
    uint32_t id;
    SampleHead head;
    SampleReply reply;
    Writer files;
    std::vector<int> listed;
    std::unique_ptr<TreeWalk> walk;
  };
  void begin(SampledBox& box, Sample& sample, Reader body);
  void send(SampledBox& box, Sample& sample);

  OpenGroupFiles files_;
  std::deque<Sample> waiting_;
};

}  // namespace pbox
