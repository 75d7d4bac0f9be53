#include "proc/stat.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace pbox {

// The command's name may hold any character, so the fields are counted from the last ')'.
bool parse_stat(const char* text, StatFields& out, int last) {
  const char* open = std::strchr(text, '(');
  const char* close = std::strrchr(text, ')');
  if (!open || !close || close < open || close[1] != ' ' || close[2] == '\0') return false;
  out.comm = {open + 1, static_cast<size_t>(close - open - 1)};
  out.state = close[2];
  std::fill(std::begin(out.field), std::end(out.field), 0);
  const char* at = close + 3;
  for (int i = 4; i <= last; i++) {
    char* end;
    out.field[i] = std::strtoull(at, &end, 10);
    if (end == at) break;
    at = end;
  }
  return true;
}

}  // namespace pbox
