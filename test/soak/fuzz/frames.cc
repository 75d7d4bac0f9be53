// libFuzzer: bytes on the keeper's socket, as they may come in any pieces, and the bodies that the keeper and the wrapper read.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "keeper/start.h"
#include "wire/frames.h"

namespace {

// Each byte that is read is looked at, for the sanitizers.
void look(const std::string& text) {
  volatile unsigned sum = 0;
  for (const char letter : text) sum = sum + static_cast<unsigned char>(letter);
}

void read_start(const std::string& body) {
  const pbox::StartRequest request{pbox::Reader(body)};
  for (const std::string* text : {&request.fork_into, &request.freezer_dir, &request.kill_file, &request.name}) look(*text);
  for (const std::string& tasks : request.tasks) look(tasks);
  // No count in the head makes more of it than the body holds.
  if (request.rlimits.size() * sizeof(pbox::RlimitWire) > body.size() + sizeof(pbox::RlimitWire)) std::abort();
  if (request.tasks.size() > body.size()) std::abort();
}

void read_words(const std::string& body) {
  pbox::Reader reader(body);
  reader.value<pbox::HelloHead>();
  while (!reader.done()) look(reader.word());
  if (reader.value<uint64_t>() != 0 || !reader.word().empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = data[0] % 31 + 1;
  pbox::Inbox inbox;
  std::string body;
  for (size_t at = 1; at < size; at += piece) {
    inbox.append(reinterpret_cast<const char*>(data) + at, std::min(piece, size - at));
    pbox::FrameHead head, peeked;
    while (true) {
      const bool has_head = inbox.peek(peeked);
      if (!inbox.next(head, body)) break;
      if (!has_head || peeked.length != head.length) std::abort();
      if (body.size() != head.length) std::abort();
      read_start(body);
      read_words(body);
    }
  }
  return 0;
}
