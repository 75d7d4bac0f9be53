#pragma once

namespace pbox {

// The keeper: parent and subreaper of one job. Never returns.
// `control` is its end of the socket to the wrapper; the environment's PBOX_* entries go to the wrapper only.
[[noreturn]] void keeper_main(int control, int argc, char** argv, char** environment);

}  // namespace pbox
