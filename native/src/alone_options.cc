#include "alone_options.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <strings.h>
#include <unistd.h>

#include "rlimit.h"

namespace pbox {
namespace {

// Options that take no value: src/spec/options.ts; test/end-to-end/launch-without-node.test.ts compares.
constexpr const char* kBooleans[] = {"multiRmtKey", "pss", "report", "oom-group", "linger", "reraise", "runanyway", "debug", "nowarn", "quiet", "version", "help"};
// Each is set in every job of its scheduler: src/scheduler/identity.ts; the same test compares.
constexpr const char* kSchedulers[] = {"SLURM_JOB_ID", "PBS_JOBID", "SGE_TASK_ID", "LSB_JOBID", "_CONDOR_SLOT"};
// From 1; signal(7).
constexpr const char* kSignals[] = {"HUP",  "INT",  "QUIT", "ILL",    "TRAP", "ABRT", "BUS",  "FPE",  "KILL", "USR1", "SEGV",
                                    "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU",
                                    "URG",  "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",  "PWR",  "SYS"};

constexpr double kTimeoutMs = 600000;  // outside of jobs

[[noreturn]] void refuse(const std::string& source, const std::string& value, const char* expected) {
  std::fprintf(stderr, "proc_box: error: %s: \"%s\": expected %s\n", source.c_str(), value.c_str(), expected);
  _exit(125);
}

bool is_number(const std::string& text) {
  return text.find_first_not_of("0123456789.") == std::string::npos && text.find_first_of("0123456789") != std::string::npos &&
         std::count(text.begin(), text.end(), '.') <= 1;
}

bool is_unlimited(const std::string& text) { return strcasecmp(text.c_str(), "unlimited") == 0 || strcasecmp(text.c_str(), "infinity") == 0; }

// Go's syntax, in ms; -1 for what is none: src/spec/units.ts.
double duration_ms(const std::string& text) {
  static constexpr struct {
    const char* name;
    double ms;
  } kUnits[] = {{"ns", 1e-6}, {"us", 1e-3}, {"µs", 1e-3}, {"μs", 1e-3}, {"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 36e5}, {"d", 864e5}};
  if (text == "0") return 0;
  double sum = text.empty() ? -1 : 0;
  for (size_t at = 0; at < text.size();) {
    const size_t digits = std::min(text.find_first_not_of("0123456789.", at), text.size());
    const size_t end = std::min(text.find_first_of("0123456789.", digits), text.size());
    const std::string number = text.substr(at, digits - at), name = text.substr(digits, end - digits);
    const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits), [&](const auto& one) { return name == one.name; });
    if (!is_number(number) || unit == std::end(kUnits)) return -1;
    sum += std::strtod(number.c_str(), nullptr) * unit->ms;
    at = end;
  }
  return sum;
}

// Bytes, with K, M, G, T or P as powers of 1024; -1 for what is none.
double size_bytes(const std::string& text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  if (!is_number(text.substr(0, digits))) return -1;
  for (int power = 0; power <= 5; power++) {
    const std::string letter = power == 0 ? "" : std::string(1, " kmgtp"[power]);
    for (const std::string& unit : {letter, letter + "b", power == 0 ? letter : letter + "ib"})
      if (strcasecmp(text.c_str() + digits, unit.c_str()) == 0) return std::strtod(text.c_str(), nullptr) * std::pow(1024, power);
  }
  return -1;
}

// In the unit of setrlimit(2).
uint64_t rlimit_half(const std::string& source, int resource, const std::string& text) {
  if (is_unlimited(text)) return RLIM_INFINITY;
  const bool plain = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  double value = plain ? std::strtod(text.c_str(), nullptr) : -1;
  switch (resource) {
    case RLIMIT_CPU:
      if (!plain) value = std::ceil(duration_ms(text) / 1e3);
      break;
    case RLIMIT_RTTIME:
      if (!plain) value = std::ceil(duration_ms(text) * 1e3);
      break;
    case RLIMIT_AS: case RLIMIT_CORE: case RLIMIT_DATA: case RLIMIT_FSIZE: case RLIMIT_MEMLOCK: case RLIMIT_MSGQUEUE:
    case RLIMIT_RSS: case RLIMIT_STACK:
      value = size_bytes(text);
      break;
    default:
      break;
  }
  if (value < 0 || value > 9007199254740991.0) refuse(source, text, "a limit as in prlimit(1), for example nofile=1024:4096 or cpu=90");
  return static_cast<uint64_t>(value);
}

// `nofile=1024:4096,core=0`; the last one of a resource counts.
void take_rlimits(std::vector<RlimitWire>& rlimits, const std::string& source, const std::string& text) {
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string one = text.substr(at, end - at);
    at = end + 1;
    const size_t equals = std::min(one.find('='), one.size()), colon = one.find(':', equals);
    const int resource = rlimit_by_name(one.substr(0, equals).c_str());
    const std::string soft = equals < one.size() ? one.substr(equals + 1, colon == std::string::npos ? colon : colon - equals - 1) : "";
    const std::string hard = colon == std::string::npos ? soft : one.substr(colon + 1);
    if (resource < 0 || (soft.empty() && hard.empty())) refuse(source, one, "a limit as in prlimit(1), for example nofile=1024:4096 or cpu=90");
    RlimitWire wire{resource, 0, 0, 0};
    if (!soft.empty()) wire.which |= kSoft, wire.soft = rlimit_half(source, resource, soft);
    if (!hard.empty()) wire.which |= kHard, wire.hard = rlimit_half(source, resource, hard);
    const auto same = [&](const RlimitWire& before) { return before.resource == resource; };
    rlimits.erase(std::remove_if(rlimits.begin(), rlimits.end(), same), rlimits.end());
    rlimits.push_back(wire);
  }
}

int signal_number(const std::string& source, const std::string& text) {
  const char* name = text.c_str() + (text[0] == '-');
  if (strncasecmp(name, "SIG", 3) == 0) name += 3;
  for (size_t at = 0; at < std::size(kSignals); at++)
    if (strcasecmp(name, kSignals[at]) == 0) return static_cast<int>(at) + 1;
  const int number = std::strspn(name, "0123456789") == std::strlen(name) ? std::atoi(name) : 0;
  if (number < 1 || number > 64) refuse(source, text, "a name or a number from 1 to 64, for example TERM");
  return number;
}

// `90` (seconds), MM:SS, HH:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS, or a duration: src/spec/wall-time.ts.
double wall_time_ms(const std::string& text) {
  unsigned days = 0, hours = 0, minutes = 0, seconds = 0;
  int end = 0;
  const auto whole = [&] { return end > 0 && text[static_cast<size_t>(end)] == 0; };
  const auto scan = [&](const char* format, auto*... parts) {
    end = 0;
    days = hours = minutes = seconds = 0;
    std::sscanf(text.c_str(), format, parts..., &end);
    return whole();
  };
  if (text.find_first_not_of("0123456789:-") != std::string::npos || text[0] == '-') return duration_ms(text);
  const bool dated = scan("%6u-%2u%n", &days, &hours) || scan("%6u-%2u:%2u%n", &days, &hours, &minutes) ||
                     scan("%6u-%2u:%2u:%2u%n", &days, &hours, &minutes, &seconds);
  const bool timed = dated || scan("%6u:%2u:%2u%n", &hours, &minutes, &seconds);
  const bool short_form = timed || scan("%8u:%2u%n", &minutes, &seconds);
  if (!short_form && !scan("%9u%n", &seconds)) return -1;
  if ((dated && hours >= 24) || (timed && minutes >= 60) || (short_form && seconds >= 60)) return -1;
  return ((days * 24.0 + hours) * 60 + minutes) * 6e4 + seconds * 1e3;
}

double checked_ms(const std::string& source, const std::string& text) {
  const double ms = duration_ms(text);
  if (ms < 0) refuse(source, text, "a duration, for example 1h30m");
  return ms;
}

double checked_limit_ms(const std::string& source, const std::string& text) {
  const double ms = wall_time_ms(text);
  if (ms < 0) refuse(source, text, "a duration (1h30m, 1d), seconds (90), or as in Slurm MM:SS, HH:MM:SS, D-HH, D-HH:MM or D-HH:MM:SS");
  return ms;
}

void take(AloneOptions& options, const std::string& source, const std::string& option, const std::string& value) {
  if (option == "argv0") options.name = value;
  if (option == "enforce") options.strict = value == "strict";
  if (option == "reraise") options.reraise = value != "false";
  if (option == "timeout") options.timeout_ms = value == "scheduler" || is_unlimited(value) ? 0 : checked_limit_ms(source, value);
  if (option == "grace") options.grace_ms = checked_ms(source, value);
  if (option == "stop-signal") options.stop_signal = signal_number(source, value);
  if (option == "rlimit" && !value.empty()) take_rlimits(options.rlimits, source, value);
}

const char* variable(char** environment, const std::string& name) {
  for (char** e = environment; *e; e++)
    if (std::strncmp(*e, name.c_str(), name.size()) == 0 && (*e)[name.size()] == '=') return *e + name.size() + 1;
  return nullptr;
}

void take_variables(AloneOptions& options, char** environment) {
  for (const std::string option : {"argv0", "enforce", "reraise", "timeout", "grace", "stop-signal", "rlimit"}) {
    std::string name = "PBOX_" + option;
    for (char& letter : name) letter = letter == '-' ? '_' : static_cast<char>(std::toupper(letter));
    const char* value = variable(environment, name);
    if (value) take(options, name, option, value);
  }
}

}  // namespace

AloneOptions read_alone_options(int argc, char** argv, char** environment) {
  AloneOptions options;
  const auto set = [&](const char* name) { const char* value = variable(environment, name); return value && *value; };
  // PBS counts 256+n for a signal.
  options.reraise = set("PBS_JOBID");
  options.timeout_ms = std::any_of(std::begin(kSchedulers), std::end(kSchedulers), set) ? 0 : kTimeoutMs;
  take_variables(options, environment);
  const std::vector<RlimitWire> of_variables = std::move(options.rlimits);
  options.rlimits.clear();
  options.command = argc;
  for (int i = 1; i < argc; i++) {
    const char* word = argv[i];
    if (word[0] != '-' || word[1] == 0) {
      options.command = i;
      break;
    }
    if (std::strcmp(word, "--") == 0) {
      options.command = i + 1;
      break;
    }
    word += word[1] == '-' ? 2 : 1;
    const char* equals = std::strchr(word, '=');
    const std::string option = equals ? std::string(word, equals) : std::string(word);
    const bool boolean = std::find(std::begin(kBooleans), std::end(kBooleans), option) != std::end(kBooleans);
    if (equals) take(options, "--" + option, option, equals + 1);
    else if (boolean) take(options, "--" + option, option, "true");
    else if (i + 1 < argc) take(options, "--" + option, option, argv[++i]);
  }
  if (options.rlimits.empty()) options.rlimits = of_variables;
  if (options.command >= argc) {
    std::fprintf(stderr, "proc_box: error: no command given; usage: proc_box [options] [--] <command> [arguments]\n");
    _exit(125);
  }
  return options;
}

}  // namespace pbox
