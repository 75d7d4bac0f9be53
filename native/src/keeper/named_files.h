// Files that the user has named in options, on behalf of an agent that must not reach any others with the user's rights.
#pragma once
#include <string>
#include <vector>

#include "keeper/invocation.h"
#include "wire/frames.h"

namespace pbox {

class NamedFiles {
 public:
  NamedFiles() = default;
  // A path counts as named if a word or a setting ends with it, after `=` or `@` or as a whole, or if the site's config file holds
  // it.
  explicit NamedFiles(const ForAgent& told);

  // The bodies of the replies to Request::read_file and write_report.
  std::string read(Reader request) const;
  std::string write_report(Reader request) const;

 private:
  bool is_named(const std::string& path) const;
  std::vector<std::string> texts_;
  std::string site_file_;
};

}  // namespace pbox
