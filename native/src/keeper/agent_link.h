// The keeper's relation to a node agent, which may end at any time and be followed by another.
#pragma once
#include <string>

#include "wire/frames.h"

namespace pbox {

struct Caller;
class WrapperConnection;

class AgentLink {
 public:
  // `path`: the agent's socket; empty: the box has no agent. `site`: it must be the site's agent.
  AgentLink(std::string path, bool site) : path_(std::move(path)), site_(site) {}

  // The box is an agent's. After drop() it is Node's.
  bool used() const { return !path_.empty(); }
  void drop() { path_.clear(); }
  // What the next agent needs to go on; only an agent reads it.
  void keep(Reader bytes);
  // The agent has gone: looks for the next one from now on.
  void lost(double now_ms);
  // The agent has ended the box, so no other is needed.
  void done() { done_ = true; }
  bool is_done() const { return done_; }
  // No agent can go on with the box.
  void leave() { done_ = left_ = true; }
  bool has_left() const { return left_; }
  // An agent has begun the box so far that the next one can go on with it.
  bool has_kept() const { return !kept_.empty(); }
  bool searching() const { return next_ms_ > 0; }
  int wait_ms(double now_ms) const;
  // A connection to the next agent, once there is one; otherwise -1.
  int find(double now_ms);

  // The first frames on a connection to an agent: what the box is, and where it comes from.
  void introduce(WrapperConnection& agent, const Caller& caller, int guard, int front_pid, bool resumes);
  // For a later agent: what has happened so far. The rest of `head` is filled in.
  void resume(WrapperConnection& agent, ResumedHead head) const;

 private:
  std::string path_, kept_;
  std::string hello_;  // as the first agent got it: the words are erased when the job starts
  const bool site_;
  bool done_ = false, left_ = false;
  double next_ms_ = 0;  // 0: not searching
  double lost_ms_ = 0;
};

}  // namespace pbox
