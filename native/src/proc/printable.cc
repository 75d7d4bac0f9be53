#include "proc/printable.h"

#include <cstdint>
#include <cstdio>

namespace pbox {
namespace {

constexpr uint32_t kReplacement = 0xFFFD;

// Control, format and private-use characters, line separators, and default-ignorable ones: the same classes as in src/text.ts.
constexpr struct {
  uint32_t first, last;
} kUnsafe[] = {{0, 0x1F},          {0x7F, 0x9F},        {0xAD, 0xAD},       {0x34F, 0x34F},     {0x600, 0x605},     {0x61C, 0x61C},
               {0x6DD, 0x6DD},     {0x70F, 0x70F},      {0x890, 0x891},     {0x8E2, 0x8E2},     {0x115F, 0x1160},   {0x17B4, 0x17B5},
               {0x180B, 0x180F},   {0x200B, 0x200F},    {0x2028, 0x202E},   {0x2060, 0x206F},   {0x3164, 0x3164},   {0xD800, 0xF8FF},
               {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},    {0xFFA0, 0xFFA0},   {0xFFF0, 0xFFFB},   {0x110BD, 0x110BD}, {0x110CD, 0x110CD},
               {0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3},  {0x1D173, 0x1D17A}, {0xE0000, 0x10FFFF}};

bool is_unsafe(uint32_t character) {
  for (const auto& range : kUnsafe)
    if (character >= range.first && character <= range.last) return true;
  return false;
}

// Returns the character at `at`, and advances `at` past it.
uint32_t next_character(const std::string& text, size_t& at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const uint32_t first = byte(at++);
  if (first < 0x80) return first;
  const int more = first >= 0xF0 && first <= 0xF4 ? 3 : first >= 0xE0 && first < 0xF0 ? 2 : first >= 0xC2 && first < 0xE0 ? 1 : 0;
  if (more == 0) return kReplacement;
  uint32_t character = first & (0x3FU >> more);
  for (int i = 0; i < more; i++) {
    const uint32_t next = byte(at + static_cast<size_t>(i));
    if ((next & 0xC0) != 0x80) return kReplacement;
    character = character << 6 | (next & 0x3F);
  }
  constexpr uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
  if (character < kLeast[more] || character > 0x10FFFF || (character >= 0xD800 && character < 0xE000)) return kReplacement;
  at += static_cast<size_t>(more);
  return character;
}

void append_escape(std::string& out, uint32_t unit) {
  char escape[8];
  std::snprintf(escape, sizeof escape, "\\u%04x", unit);
  out += escape;
}

}  // namespace

std::string printable(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const uint32_t character = next_character(text, at);
    if (character == kReplacement) out += "\xEF\xBF\xBD";
    else if (!is_unsafe(character)) out.append(text, begin, at - begin);
    else if (character == '\n') out += "\\n";
    else if (character == '\r') out += "\\r";
    else if (character == '\t') out += "\\t";
    else if (character < 0x10000) append_escape(out, character);
    else append_escape(out, 0xD800 + ((character - 0x10000) >> 10)), append_escape(out, 0xDC00 + ((character - 0x10000) & 0x3FF));
  }
  return out;
}

}  // namespace pbox
