#include "keeper/named_files.h"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/text_file.h"

namespace pbox {
namespace {

constexpr size_t kReadMax = 768 << 10;  // so that the reply fits into a frame

std::string reply(int error, const struct stat& status, const std::string& bytes) {
  Writer out;
  out.value(FileReply{error, static_cast<uint32_t>(status.st_mode & 07777), static_cast<uint32_t>(status.st_uid)});
  return out.body + bytes;
}

std::string failed(int error) { return reply(error, {}, ""); }

std::string at_home(const std::string& path) {
  const char* home = std::getenv("HOME");
  return path.compare(0, 2, "~/") == 0 && home && *home ? home + path.substr(1) : path;
}

// Only a regular file: a FIFO or a terminal would hold up the box.
int read_whole(const std::string& path, struct stat& status, std::string& bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return errno;
  int error = fstat(fd, &status) != 0 ? errno : S_ISREG(status.st_mode) ? 0 : EINVAL;
  char chunk[8192];
  for (ssize_t n = 1; error == 0 && n > 0;) {
    n = ::read(fd, chunk, sizeof chunk);
    if (n > 0) bytes.append(chunk, static_cast<size_t>(n));
    if (n < 0 && errno != EINTR) error = errno;
    if (bytes.size() > kReadMax) error = EFBIG;
  }
  close(fd);
  return error;
}

void replace_all(std::string& text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) text.replace(at, what.size(), by);
}

// A value stays within one component of the path, and cannot lead out of the folder.
std::string component(std::string value) {
  for (char& letter : value)
    if (letter == '/' || static_cast<unsigned char>(letter) < ' ') letter = '_';
  for (size_t at = 0; at < value.size() && value[at] == '.'; at++) value[at] = '_';
  return value;
}

// Replaces the file as a whole: readers see the old report or the new one.
int replace_file(const std::string& path, const std::string& text) {
  char real[PATH_MAX];
  const std::string target = realpath(path.c_str(), real) ? real : path;
  struct stat old {};
  if (lstat(target.c_str(), &old) == 0 && !S_ISREG(old.st_mode) && !S_ISLNK(old.st_mode)) return EINVAL;
  const size_t slash = target.rfind('/');
  const std::string beside = (slash == std::string::npos ? "" : target.substr(0, slash + 1)) + ".report-" + std::to_string(getpid());
  unlink(beside.c_str());
  const int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return errno;
  int error = 0;
  for (size_t done = 0; error == 0 && done < text.size();) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n > 0) done += static_cast<size_t>(n);
    else if (errno != EINTR) error = errno;
  }
  if (close(fd) != 0 && error == 0) error = errno;
  if (error == 0 && rename(beside.c_str(), target.c_str()) != 0) error = errno;
  if (error != 0) unlink(beside.c_str());
  return error;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

NamedFiles::NamedFiles(const ForAgent& told) : texts_(told.words), site_file_(told.site_file) {
  texts_.insert(texts_.end(), told.settings.begin(), told.settings.end());
}

bool NamedFiles::is_named(const std::string& path) const {
  if (path.empty()) return false;
  for (const std::string& text : texts_)
    if (text == path || ends_with(text, "=" + path) || ends_with(text, "@" + path)) return true;
  return path == site_file_ || (!site_file_.empty() && read_text_file(site_file_).find(path) != std::string::npos);
}

std::string NamedFiles::read(Reader request) const {
  const std::string path = request.word();
  if (!is_named(path)) return failed(EPERM);
  struct stat status {};
  std::string bytes;
  const int error = read_whole(at_home(path), status, bytes);
  return error == 0 ? reply(0, status, bytes) : failed(error);
}

std::string NamedFiles::write_report(Reader request) const {
  std::string path = request.word();
  if (!is_named(path)) return failed(EPERM);
  path = at_home(path);
  for (std::string name = request.word(); !name.empty(); name = request.word()) replace_all(path, "{" + name + "}", component(request.word()));
  return failed(replace_file(path, request.rest()));
}

}  // namespace pbox
