// The lines of a config file that count before Node or an agent reads it. src/options/ reads the whole file, and reports what is
// wrong with it.
#pragma once
#include <string>

namespace pbox {

constexpr char kSiteFile[] = "/etc/proc_box/config.yaml";

struct ConfigLines {
  std::string agent;     // the value of `agent`; empty: not given
  bool locked = false;   // `locked` names it
};

// Nothing is set if the file cannot be read.
ConfigLines read_config_lines(const std::string& path);

}  // namespace pbox
