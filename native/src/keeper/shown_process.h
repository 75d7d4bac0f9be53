// The process that `proc_box adopt` names, as /proc shows it. An agent of another user may not read most of this itself.
#pragma once
#include <string>
#include <vector>

namespace pbox {

// The body of Event::process. `is_shared`: which entries of the environment say who the job is.
std::string process_body(int pid, bool (*is_shared)(const char* entry));

// The ancestors of `from` below `top`, nearest first; empty if `top` is not one.
std::vector<int> ancestors_below(int top, int from);

}  // namespace pbox
