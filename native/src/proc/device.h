// The disk that an I/O limit of a control group applies to.
#pragma once
#include <string>

namespace pbox {

// Finds the whole disk behind a block device, a file on one, or `major:minor`: the kernel limits no partitions. Sets `disk` to
// `major:minor`. Returns 0 or an errno: ENXIO if `disk` is no block device.
int find_disk(const std::string& target, std::string& disk, const std::string& sys = "/sys");

}  // namespace pbox
