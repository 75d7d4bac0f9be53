// The kernel's names and the words of a command line are bytes, not text: docs/design.md, "Text".
//
// In JavaScript they are strings. UTF-8 is decoded, and each byte that is not valid UTF-8 becomes one of U+DC80 to U+DCFF, which
// valid text does not contain (Python's surrogateescape, PEP 383). Converting back yields the same bytes.
#include <algorithm>

#include "addon/js.h"

namespace pbox::js {
namespace {

constexpr char16_t kEscape = 0xDC00;

bool is_ascii(const std::string& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// The length of the UTF-8 sequence that begins at `at`, and its code point; 0 if it is invalid. RFC 3629.
size_t sequence(const std::string& bytes, size_t at, char32_t* point) {
  const auto byte = [&](size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U; };
  const unsigned first = byte(at);
  const size_t length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (length == 0) return 0;
  *point = length == 1 ? first : first & (0x7FU >> length);
  for (size_t i = 1; i < length; i++) {
    const unsigned next = byte(at + i);
    if ((next & 0xC0) != 0x80) return 0;
    *point = *point << 6 | (next & 0x3F);
  }
  const bool overlong = (length == 3 && *point < 0x800) || (length == 4 && *point < 0x10000);
  const bool surrogate = *point >= 0xD800 && *point < 0xE000;
  return overlong || surrogate || *point > 0x10FFFF ? 0 : length;
}

void append_utf8(std::string& bytes, char32_t point) {
  const auto add = [&](char32_t byte) { bytes += static_cast<char>(byte); };
  if (point < 0x80) return add(point);
  if (point < 0x800) {
    add(0xC0 | point >> 6);
  } else if (point < 0x10000) {
    add(0xE0 | point >> 12);
    add(0x80 | (point >> 6 & 0x3F));
  } else {
    add(0xF0 | point >> 18);
    add(0x80 | (point >> 12 & 0x3F));
    add(0x80 | (point >> 6 & 0x3F));
  }
  add(0x80 | (point & 0x3F));
}

}  // namespace

Value text_of(Env env, const std::string& bytes) {
  napi_value value = env.Null();
  if (is_ascii(bytes)) {
    napi_create_string_latin1(env, bytes.data(), bytes.size(), &value);
    return {env, value};
  }
  std::u16string text;
  for (size_t at = 0; at < bytes.size();) {
    char32_t point = 0;
    const size_t length = sequence(bytes, at, &point);
    if (length == 0) {
      text += static_cast<char16_t>(kEscape + static_cast<unsigned char>(bytes[at++]));
      continue;
    }
    at += length;
    if (point >= 0x10000) {
      text += static_cast<char16_t>(0xD800 + ((point - 0x10000) >> 10));
      text += static_cast<char16_t>(0xDC00 + ((point - 0x10000) & 0x3FF));
    } else {
      text += static_cast<char16_t>(point);
    }
  }
  return String::New(env, text);
}

std::string bytes_of(const Value& value) {
  const std::string plain = value.As<String>().Utf8Value();
  // Utf8Value() turns an escape into U+FFFD. Text with this character takes the slow path, even if it was meant.
  if (plain.find("\xEF\xBF\xBD") == std::string::npos) return plain;
  const std::u16string text = value.As<String>().Utf16Value();
  std::string bytes;
  for (size_t at = 0; at < text.size(); at++) {
    const char16_t unit = text[at];
    const bool pair = unit >= 0xD800 && unit < 0xDC00 && at + 1 < text.size() && text[at + 1] >= 0xDC00 && text[at + 1] < 0xE000;
    if (pair) append_utf8(bytes, 0x10000 + ((unit - 0xD800U) << 10) + (text[++at] - 0xDC00U));
    else if (unit >= 0xDC80 && unit <= 0xDCFF) bytes += static_cast<char>(unit - kEscape);
    else append_utf8(bytes, unit >= 0xD800 && unit < 0xE000 ? 0xFFFD : unit);
  }
  return bytes;
}

}  // namespace pbox::js
