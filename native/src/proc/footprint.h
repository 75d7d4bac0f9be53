// The resident memory of a small process that waits for hours.
#pragma once

namespace pbox {

// Takes the pages of the executable's text out of this process. What is needed again comes back from the page cache, 64 KiB at
// a time; what only the start needed does not.
void release_text();

}  // namespace pbox
