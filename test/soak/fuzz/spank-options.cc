// libFuzzer: what users and plugstack.conf give to the SPANK plugin. A list is taken apart completely, and nothing is
// written beside the buffers.
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <string>

extern "C" {
#include "options.h"
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const char* list = text.c_str();
  const char* const end = list + std::strlen(list);
  for (const char* before = list;; before = list) {
    // On the heap, so that a byte beyond its end is found.
    char* option = static_cast<char*>(std::malloc(OPTION_MAX_BYTES));
    char* variable = static_cast<char*>(std::malloc(VARIABLE_MAX_BYTES));
    const bool more = next_option(&list, option);
    if (more) {
      if (list <= before || list > end || std::strlen(option) >= OPTION_MAX_BYTES) std::abort();
      is_askable(option);
      if (variable_of(option, variable)) {
        if (std::strncmp(variable, "PBOX_", 5) != 0 || std::strlen(variable) >= VARIABLE_MAX_BYTES) std::abort();
        for (const char* at = variable; *at; at++)
          if (!std::isupper(static_cast<unsigned char>(*at)) && *at != '_') std::abort();
      }
    }
    std::free(option);
    std::free(variable);
    if (!more) break;
  }
  return 0;
}
