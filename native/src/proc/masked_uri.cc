#include "proc/masked_uri.h"

#include <cctype>
#include <cstring>

namespace pbox {
namespace {

// The start of the next URI in the same word: `scheme://` after a comma or a blank.
size_t next_uri(const std::string& text, size_t at) {
  for (size_t sign = text.find("://", at); sign != std::string::npos; sign = text.find("://", sign + 3)) {
    size_t first = sign;
    while (first > at && (std::isalnum(static_cast<unsigned char>(text[first - 1])) || std::strchr("+.-", text[first - 1]))) first--;
    if (first > at && first < sign && std::strchr(", \t\n", text[first - 1])) return first;
  }
  return text.size();
}

}  // namespace

// A password may hold any character, so everything that could be part of one is masked.
std::string masked_uri(std::string text) {
  for (size_t at = text.find("://"); at != std::string::npos; at = text.find("://", at + 3)) {
    const size_t end = next_uri(text, at + 3), sign = text.rfind('@', end - 1);
    if (sign != std::string::npos && sign > at) text.replace(at + 3, sign - at - 3, "***");
  }
  return text;
}

}  // namespace pbox
