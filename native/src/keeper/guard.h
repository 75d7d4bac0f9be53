// The keeper's parent, in a session of its own.
//
// If the keeper is killed, alone or with the front end, the guard does the keeper's last steps. If the keeper is stopped, the
// guard resumes it. Under a scheduler that signals whole sessions (PBS) the keeper stays in the session: it is stopped and
// signalled with the job, and so can report which signals the job received. The guard then also stops the processes of the box
// that have left the session.
#pragma once
namespace pbox {

struct Invocation;
struct KeeperSetup;

// Forks the keeper and guards it. Never returns.
[[noreturn]] void guard_main(const KeeperSetup& setup, Invocation& words, int front_pid);

}  // namespace pbox
