// Where there is no libFuzzer: calls the target with mutations of the seeds for some seconds, and says how many there were.
// It knows nothing of coverage. Arguments: seconds, then the files with the seeds.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;
constexpr size_t kMostBytes = 8192;
constexpr int kMostMutations = 8;
constexpr uint32_t kNumbers[] = {0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  Bytes operator()(Bytes bytes, const Bytes& other) {
    for (int left = 1 + below(kMostMutations); left > 0; left--) mutate(bytes, other);
    if (bytes.size() > kMostBytes) bytes.resize(kMostBytes);
    return bytes;
  }

  size_t below(size_t bound) { return bound == 0 ? 0 : random_() % bound; }

 private:
  void mutate(Bytes& bytes, const Bytes& other) {
    const size_t at = below(bytes.size() + 1);
    switch (below(6)) {
      case 0:
        if (at < bytes.size()) bytes[at] ^= 1U << below(8);
        break;
      case 1:
        bytes.insert(bytes.begin() + static_cast<long>(at), 1 + below(64), static_cast<uint8_t>(random_()));
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.insert(bytes.begin() + static_cast<long>(at), other.begin(), other.end());
        break;
      case 4:
        bytes.erase(bytes.begin() + static_cast<long>(at), bytes.begin() + static_cast<long>(at + below(bytes.size() - at + 1)));
        break;
      default: {
        const uint32_t number = kNumbers[below(std::size(kNumbers))];
        for (size_t i = 0; i < sizeof number && at + i < bytes.size(); i++) bytes[at + i] = static_cast<uint8_t>(number >> (8 * i));
      }
    }
  }

  std::mt19937 random_;
};

}  // namespace

int main(int argc, char** argv) {
  const unsigned seed = std::random_device()();
  std::fprintf(stderr, "seed: %u\n", seed);
  std::vector<Bytes> seeds{{}};
  for (int i = 2; i < argc; i++) {
    std::ifstream file(argv[i], std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  Mutator mutate(seed);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(argv[1]));
  uint64_t runs = 0;
  for (; std::chrono::steady_clock::now() < end; runs++) {
    const Bytes input = mutate(seeds[mutate.below(seeds.size())], seeds[mutate.below(seeds.size())]);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::fprintf(stderr, "number_of_executed_units: %llu\n", static_cast<unsigned long long>(runs));
}
