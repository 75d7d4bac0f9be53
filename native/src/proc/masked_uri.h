// Passwords in URIs.
#pragma once
#include <string>

namespace pbox {

// The text with `***` in place of what stands between `://` and the last `@` of each URI.
std::string masked_uri(std::string text);

}  // namespace pbox
