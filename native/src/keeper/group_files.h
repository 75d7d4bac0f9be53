// Operations on the files of control groups that the keeper carries out for its wrapper, which may be another user's. So that
// such a wrapper cannot act outside the box with the rights of the keeper's user:
//   read, list        only files in a cgroup file system, and three files of /proc that everybody may read
//   disk              the number of the disk behind a path, and nothing else of it
//   mkdir             only inside a directory of a cgroup file system
//   write, rmdir      only in groups that this keeper has made; MadeGroups::may_write
//   members           the processes of the box
//   pids              only our own processes and those of the box are moved
// No path leads through a symbolic link or `..`. What is refused fails with EPERM.
#pragma once
#include <functional>
#include <string>

#include "keeper/made_groups.h"
#include "proc/process.h"
#include "wire/frames.h"

namespace pbox {

// Opens a directory of a cgroup file system (O_PATH), step by step. -1 with errno: EPERM if it is none.
int open_group(const std::string& dir);
// Opens a file in such a directory. -1 with errno.
int open_group_file(const std::string& path, int flags);
// It can be opened for reading. False with errno.
bool is_group_file(const std::string& path);

class GroupFiles {
 public:
  // `may_move`: this process is ours or in the box. `members`: finds those of the box. `made`: told of each new group.
  GroupFiles(MadeGroups& groups, std::function<bool(int)> may_move, Look members, std::function<void(const std::string&)> made)
      : groups_(groups), may_move_(std::move(may_move)), members_(std::move(members)), made_(std::move(made)) {}
  // Carries out the operations of a Request::files, in order. Returns the body of the reply.
  std::string run(Reader body) const;
  // Every pid in a text for a file that moves processes may be moved.
  bool may_move(const std::string& text) const;

 private:
  int act(FileOp op, const std::string& path, const std::string& text, std::string& out) const;
  int write(const std::string& path, const std::string& text) const;
  int make(const std::string& dir) const;
  int remove(const std::string& dir, bool whole_tree) const;

  MadeGroups& groups_;
  const std::function<bool(int)> may_move_;
  const Look members_;
  const std::function<void(const std::string&)> made_;
};

}  // namespace pbox
