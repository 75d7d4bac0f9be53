// The wire format between the wrapper and the keeper: frames on one AF_UNIX stream socket, in host byte order. Both ends are
// built from this file. native/README.md describes the protocol.
#pragma once
#include <cstdint>

namespace pbox {

// Wrapper to keeper. The reply has the same `id`.
enum class Request : uint16_t {
  start = 1,         // StartHead, RlimitWire x rlimits, NUL-terminated: `tasks` files, directory to fork into,
                     // freezer directory, cgroup.kill file, argv[0] of the job (empty: the command's first word)
  signal = 2,        // SignalBody -> count
  kill = 3,          // KillBody -> count
  suspend = 4,       // -> count
  resume = 5,        // -> count
  rlimit = 6,        // RlimitWire -> RlimitReply
  stdout_limit = 7,  // uint64 bytes -> count
  cleanup = 9,       // CleanupHead, prefix NUL-terminated, per step NUL-terminated: `r` or `w`, path, text; no reply
  adopt = 10,        // in place of start, for the process that the keeper holds: AdoptHead, NUL-terminated: cgroup.procs, freezer
                     // directory, cgroup.kill file
  stop = 11,         // StopBody -> count
  pause = 12,        // PauseBody -> PauseReply
  stdout_mark = 13,  // uint64 bytes, 0: none -> count
  deadline = 14,     // DeadlineBody, replaces the previous one; no reply
  files = 15,        // uint32 count, per operation a uint32 FileOp and two NUL-terminated words: path or pid, text
                     // -> per operation a FileResult and its bytes
  sample = 16,       // SampleHead, NUL-terminated: `cgroup.procs` to list, paths of group files -> SampleReply
  welcome = 17,      // from an agent: it serves this box; no reply
  to_front = 18,     // from an agent: NodeMessage and text for the front end; no reply
  delivery = 19,     // from the front end: Delivery, a signal for the agent; no reply
  use_node = 20,     // from the front end: the box is Node's from now on, and not the agent's; no reply
  keep = 21,         // from an agent: bytes that the next agent gets with `resumed`; no reply
  answer = 22,       // from an agent: text, the answer to `ask`; no reply
  leave = 25,        // from an agent: no agent can serve this box, so look for none; no reply
  read_file = 23,    // from an agent: a path that the user has named -> FileReply, bytes
  write_report = 24, // from an agent: NUL-terminated: a path that the user has named, per placeholder name and value, an empty
                     // word; text -> FileReply
  held_time = 26,    // -> double: ms for which the scheduler has held the box so far
};

// Keeper to wrapper.
enum class Event : uint16_t {
  hello = 64,        // HelloHead, NUL-terminated: argc words, settings entries, the verb
  started = 65,      // StartedBody
  failed = 66,       // FailedBody
  exited = 67,       // ExitedBody
  empty = 68,        // UsageBody
  stopped = 69,      // int32 signal
  continued = 70,    //
  stdoutlimit = 71,  // uint64 bytes
  reply = 72,        // depends on the request
  witnessed = 73,    // WitnessedBody
  unkillable = 74,   // UnkillableHead, per process an int32 pid and two NUL-terminated words: name, reason
  stdoutmark = 75,   // uint64 bytes: the mark has been reached
  expired = 76,      // double at_ms: the keeper has acted on its deadline, because its wrapper has not; to the front end also that
                     // the wrapper has stopped the box at its time limit
  origin = 77,       // to an agent, after `hello`: OriginHead, NUL-terminated: working directory, environment entries;
                     // per child an int32 pid; NUL-terminated: the lines of /proc/self/mountinfo about control groups, /proc/self/cgroup
  agent = 78,        // to the front end: AgentState
  to_front = 79,     // to the front end: NodeMessage and text from the agent
  delivery = 80,     // to an agent: Delivery, a signal that the front end has received
  resumed = 81,      // to a later agent, after `origin`: ResumedHead, the bytes of `keep`
  ask = 82,          // to an agent, from a tool and in place of `hello`: text
  process = 83,      // of `proc_box adopt`, after `hello` and `origin`, and again before `started`: ProcessHead, NUL-terminated:
                     // its stat and status, the first word of its command line, entries of its environment
  held = 84,         // to an agent: double, the same as the answer to `held_time`: a hold has ended
};

constexpr const char* kEventNames[] = {"hello", "started", "failed", "exited", "empty", "stopped", "continued", "stdoutlimit", "reply", "witnessed", "unkillable", "stdoutmark", "expired", "origin", "agent", "to_front", "delivery", "resumed", "ask", "process", "held"};

// A checksum of this file, which the build computes. An upgrade in place can pair a new Node with an old keeper, or the
// reverse, so both ends compare it before the job starts. The frame head, `hello`, and a `start` without limits and groups
// are the same in every version, so that the job can run without a box.
constexpr uint16_t kProtocolVersion = static_cast<uint16_t>(PROTOCOL_CHECKSUM % 65535 + 1);

// An agent outlives installations, and so do keepers: each understands the other across one version. Bodies therefore only grow at
// their ends (a Reader yields zeros for what an older sender lacks), numbers are never used again, and a request that a keeper does
// not know gets an empty reply. test/native/protocol.test.ts holds what a version may not change.
constexpr uint16_t kAgentOldest = 1, kAgentVersion = 1;

// Which of the two versions a connection speaks.
enum class Speaks { own, agent };
constexpr bool is_spoken(Speaks how, uint16_t version) {
  return how == Speaks::own ? version == kProtocolVersion : version >= kAgentOldest && version <= kAgentVersion + 1;
}

struct FrameHead {
  uint32_t length;  // of the payload
  uint16_t type;
  uint16_t version;
  uint32_t id;
};

enum class StdoutMode : uint32_t { file = 0, pipe = 1, terminal = 2, other = 3 };

struct HelloHead {
  int32_t pid;
  int32_t guard;  // pid of the keeper's guard; 0: none
  uint32_t stdout_mode;
  uint32_t terminal;
  uint32_t argc;
  uint32_t settings;
  // The front end has read these from the words: front/options.h.
  uint32_t command;
  uint32_t fallback;
  uint32_t failure_open;
  uint32_t debug;
};

// Where the box comes from. An agent is not a child of the front end, so it inherits nothing that would tell.
struct OriginHead {
  int32_t front;  // pid of the front end
  uint32_t words;  // number of words with those of the command that `hello` has left out
  uint32_t environment;
  uint32_t children;  // of the front end that it had before: they belong to the scheduler
  uint32_t resumes;   // 1: `resumed` follows, because another agent has served this box before
};

enum class AgentState : uint32_t {
  unknown = 0,
  there = 1,    // it serves the box
  refused = 2,  // it has gone before the job was started
  lost = 3,     // it has gone, and the box goes on
  asked = 4,    // it has been told of the box
};

struct FileReply {
  int32_t error;  // errno; 0: done
  uint32_t mode, uid;
};

// What has happened before this agent came. Times are CLOCK_MONOTONIC, ms.
struct ResumedHead {
  int32_t pid;  // of the main process
  uint32_t main_ended;
  uint32_t reserved;
  uint32_t bytes;  // of `keep`, which follow
  double started_ms;
  double lost_ms;     // when the agent before was lost
  double expired_ms;  // when the box was stopped at its time limit, by its keeper or by an agent before; 0: it was not
};

struct StartHead {
  uint32_t command_index;
  uint32_t rlimits;
  uint32_t tasks;
  uint32_t freezer_version;  // 0: none
  uint64_t stdout_max;
};

// Names the groups beside those of the box that may be removed with them: `prefix`, then at least `id_digits` hexadecimal
// digits.
struct CleanupHead {
  uint32_t id_digits;
  uint32_t min_age_sec;  // the box of a younger group may be about to start its job
};

// The process that `--pid` names, as /proc shows it to the keeper.
struct ProcessHead {
  int32_t pid;             // 0: --pid names none
  uint32_t stdout_file;    // 1: its stdout is a file
  uint32_t readable;       // 1: its environment may be read
  uint32_t environment;    // number of entries
};

struct AdoptHead {
  uint32_t await_exec;       // 1: send `started` only after the process has executed another program
  uint32_t freezer_version;  // 0: none
  uint64_t stdout_max;
};

constexpr uint32_t kSoft = 1, kHard = 2;

struct RlimitWire {
  int32_t resource;
  uint32_t which;  // kSoft | kHard
  uint64_t soft, hard;
};

struct RlimitReply {
  int32_t changed, failed, error, reserved;
  uint64_t soft, hard;  // now in force on the first process that was changed
};

struct SignalBody {
  int32_t signal;
  uint32_t all;  // 0: the job's process group, 1: every process of the box
};

// The keeper acts on this itself if the wrapper has not acted half a second after the time. CLOCK_MONOTONIC; 0: never.
struct DeadlineBody {
  double stop_at_ms;  // the signal to the job's process group; SIGKILL to every process after the grace period
  double kill_at_ms;  // SIGKILL to every process
  double grace_ms;
  int32_t signal;
  uint32_t abandon;  // for `kill_at_ms`, as in KillBody; a stop that the keeper begins itself always abandons the reader
};

// Which processes are asked to end; keeper/ladder.h.
enum class StopHow : uint32_t {
  group = 0,    // the job's process group, and the processes outside it that would never end by themselves
  forward = 1,  // a scheduler's signal: the group only, and no process is killed
  rest = 2,     // the main process has ended: every process that has not been asked yet
  spare = 3,    // as `rest`, except the processes that have received the scheduler's signal
};

struct StopBody {
  int32_t signal;
  uint32_t how;            // StopHow
  uint32_t at_time_limit;  // the time limit of the box is over: whoever ends the box without its wrapper has to know
  uint32_t reserved;
};

// SIGTSTP, with the effect that it has on a process group that is not orphaned.
struct PauseBody {
  uint32_t reached;  // 1: the sender of SIGTSTP has signalled the job as well
};

struct PauseReply {
  int32_t count;
  uint32_t all_stopped;  // 1: every process of the box has stopped
};

struct KillBody {
  uint32_t abandon;  // 1: a stalled reader of stdout does not hold up the end
};

// A signal that the wrapper handles has reached the keeper: its sender signals a whole process tree or session.
struct WitnessedBody {
  int32_t signal;
  int32_t pid;  // of the sender
  double at_ms;
};

// Processes that SIGKILL does not end.
struct UnkillableHead {
  uint32_t count;
  uint32_t final;  // 1: the keeper no longer waits for them, and `empty` follows
};

struct StartedBody {
  int32_t pid;
  uint32_t reserved;
  double at_ms;
};

struct FailedBody {
  int32_t step;  // Step
  int32_t index;
  int32_t error;
  uint32_t reserved;
};

struct UsageBody {
  uint64_t user_usec, system_usec, max_rss_bytes;
  uint64_t read_count, write_count, read_bytes, write_bytes;
  uint64_t stdout_bytes;
};

// Operations on files of control groups; keeper/group_files.h has the rules. Three read files of /proc, of the keeper or of the
// process whose pid takes the place of the path. The last lists the processes of the box.
enum class FileOp : uint32_t { read, write, mkdir, rmdir, rmtree, exists, writable, processes, disk, mountinfo, cgroup, status, members };
constexpr const char* kFileOpNames[] = {"read", "write", "mkdir", "rmdir", "rmtree", "exists", "writable", "processes", "disk", "mountinfo", "cgroup", "status", "members"};
constexpr uint32_t kMostFileOps = 256;
constexpr uint32_t kMostFileBytes = 256 << 10;  // of a request

struct FileResult {
  int32_t error;  // errno; 0: done
  uint32_t size;  // of the bytes that follow
};

constexpr uint32_t kSampleWalk = 1, kSamplePss = 2, kSampleOpenFiles = 4, kSampleList = 8;

struct SampleHead {
  uint32_t rows;   // how many of the processes largest by resident memory
  uint32_t flags;  // kSampleWalk: over the processes; kSamplePss: read smaps_rollup; kSampleOpenFiles: of the main process;
                   // kSampleList: list the processes of a group, and walk only if the list cannot be read or is short
  uint32_t walk_most;  // the longest short list
  uint32_t files;
};

// Per file a FileResult and its bytes, int32 x listed, and if `walked` a TreeBody.
struct SampleReply {
  UsageBody usage;
  uint64_t cost_usec;  // CPU time of the keeper for this sample
  int32_t listed;      // -1: no list
  uint32_t files, walked, reserved;
};

// int32 x pids, per row a RowBody and its name, per open file an int32 and its path.
struct TreeBody {
  uint32_t pids, rows, open_files, reserved;
  int64_t threads;
  uint64_t rss_bytes, vms_bytes, swap_bytes;
  int64_t pss_bytes, anon_bytes, file_bytes, shmem_bytes;  // -1: not read
  uint64_t user_usec, system_usec, guest_usec, iowait_usec;
  uint64_t read_count, write_count, read_bytes, write_bytes;
};

struct RowBody {
  int32_t pid, ppid;
  uint32_t state, reserved;
  int64_t threads;
  uint64_t vms_bytes, rss_bytes, user_usec, system_usec;
};

struct ExitedBody {
  int32_t code, signal;  // one of them is -1; both if the status of an adopted process is unknown
  uint32_t core_dumped, reserved;
  double at_ms;
  UsageBody usage;
};

// The step at which a launch failed.
enum class Step : int32_t { pipe = 0, fork, parent, setpgid, terminal, cgroup, stdio, rlimit, exec, adopt };
constexpr const char* kStepNames[] = {"pipe", "fork", "parent", "setpgid", "terminal", "cgroup", "stdio", "rlimit", "exec", "adopt"};

}  // namespace pbox
