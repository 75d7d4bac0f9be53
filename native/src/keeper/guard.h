// The keeper's parent, in a session of its own.
//
// Where the keeper is killed, alone or with the front end, the guard does the keeper's last steps; where somebody has
// stopped it, the guard lets it go on. Under a scheduler that signals whole sessions (PBS) the keeper stays in the session:
// it is stopped and signalled with the job, and so can tell what the job got. The guard then also stops what the job has
// put outside of the session.
#pragma once
namespace pbox {

struct Invocation;
struct KeptBy;

// Forks the keeper and guards it. Never returns.
[[noreturn]] void guard_main(const KeptBy& by, Invocation& words, int front_pid);

}  // namespace pbox
