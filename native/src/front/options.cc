#include "front/options.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <strings.h>
#include <utility>

#include "proc/rlimit.h"

namespace pbox {
namespace {

// Options without a value. They mirror src/options/table.ts; test/end-to-end/launch-without-node.test.ts compares both.
constexpr const char* kBooleans[] = {"multiRmtKey", "pss", "report", "oom-group", "linger", "reraise", "runanyway", "debug", "nowarn", "quiet", "version", "help"};
// A variable per scheduler that is set in every job of it. They mirror src/scheduler/identity.ts; the same test compares.
constexpr const char* kSchedulers[] = {"SLURM_JOB_ID", "PBS_JOBID", "SGE_TASK_ID", "LSB_JOBID", "_CONDOR_SLOT"};
// Signals by number, from 1; signal(7).
constexpr const char* kSignals[] = {"HUP",  "INT",  "QUIT", "ILL",    "TRAP", "ABRT", "BUS",  "FPE",  "KILL", "USR1", "SEGV",
                                    "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU",
                                    "URG",  "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",  "PWR",  "SYS"};

// Verbs, which count only as the first word. They mirror src/options/table/verbs.ts; the same test compares.
constexpr const char* kVerbs[] = {"adopt", "agent", "check", "collector", "ctl", "list", "report", "spool", "top", "watch", "where"};

constexpr long long kMostPid = 1 << 22;
constexpr double kTimeoutMs = 600000;  // the default outside scheduler jobs
constexpr char kAnRlimit[] = "a limit as in prlimit(1), for example nofile=1024:4096 or cpu=90";

// The text of one option, and where it was given.
struct Given {
  Options& options;
  std::string source, text;

  void refuse(const std::string& value, const char* expected) const {
    if (options.error.empty()) options.error = source + ": \"" + value + "\": expected " + expected;
  }
};

bool is_number(const std::string& text) {
  return text.find_first_not_of("0123456789.") == std::string::npos && text.find_first_of("0123456789") != std::string::npos &&
         std::count(text.begin(), text.end(), '.') <= 1;
}

bool is_unlimited(const std::string& text) { return strcasecmp(text.c_str(), "unlimited") == 0 || strcasecmp(text.c_str(), "infinity") == 0; }

// Parses a duration in Go's syntax, as src/options/units.ts does. Returns ms, or -1 for anything else.
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

// Parses a size with K, M, G, T or P as powers of 1024. Returns bytes, or -1 for anything else.
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

// Parses one half of a limit. Returns it in the unit of setrlimit(2), or -1 for anything else.
double rlimit_half(int resource, const std::string& text) {
  if (is_unlimited(text)) return static_cast<double>(RLIM_INFINITY);
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
  return value > 9007199254740991.0 ? -1 : value;
}

bool take_half(RlimitWire& wire, uint32_t which, const std::string& text) {
  if (text.empty()) return true;
  const double value = rlimit_half(wire.resource, text);
  if (value < 0 && !is_unlimited(text)) return false;
  const uint64_t limit = is_unlimited(text) ? RLIM_INFINITY : static_cast<uint64_t>(value);
  (which == kSoft ? wire.soft : wire.hard) = limit;
  wire.which |= which;
  return true;
}

// Parses `nofile=1024:4096,core=0`. If a resource occurs twice, the last one counts.
void take_rlimits(const Given& given) {
  auto& rlimits = given.options.rlimits;
  for (size_t at = 0; at <= given.text.size();) {
    const size_t end = std::min(given.text.find(',', at), given.text.size());
    const std::string one = given.text.substr(at, end - at);
    at = end + 1;
    const size_t equals = std::min(one.find('='), one.size()), colon = one.find(':', equals);
    const std::string soft = equals < one.size() ? one.substr(equals + 1, colon == std::string::npos ? colon : colon - equals - 1) : "";
    const std::string hard = colon == std::string::npos ? soft : one.substr(colon + 1);
    RlimitWire wire{rlimit_by_name(one.substr(0, equals).c_str()), 0, 0, 0};
    if (wire.resource < 0 || (soft.empty() && hard.empty())) return given.refuse(one, kAnRlimit);
    if (!take_half(wire, kSoft, soft)) return given.refuse(soft, kAnRlimit);
    if (!take_half(wire, kHard, hard)) return given.refuse(hard, kAnRlimit);
    const auto same = [&](const RlimitWire& before) { return before.resource == wire.resource; };
    rlimits.erase(std::remove_if(rlimits.begin(), rlimits.end(), same), rlimits.end());
    rlimits.push_back(wire);
  }
}

void take_signal(const Given& given) {
  const char* name = given.text.c_str() + (given.text[0] == '-');
  if (strncasecmp(name, "SIG", 3) == 0) name += 3;
  const auto same = [&](const char* known) { return strcasecmp(name, known) == 0; };
  const auto found = std::find_if(std::begin(kSignals), std::end(kSignals), same);
  const bool digits = std::strspn(name, "0123456789") == std::strlen(name);
  const int number = found != std::end(kSignals) ? static_cast<int>(found - kSignals) + 1 : digits ? std::atoi(name) : 0;
  if (number < 1 || number > 64) return given.refuse(given.text, "a name or a number from 1 to 64, for example TERM");
  given.options.stop_signal = number;
}

// Parses `90` (seconds), MM:SS, HH:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS or a duration, as src/options/wall-time.ts does.
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

void take_duration(const Given& given, double& out) {
  const double ms = duration_ms(given.text);
  if (ms < 0) given.refuse(given.text, "a duration, for example 1h30m");
  else out = ms;
}

void take_limit(const Given& given) {
  const double ms = wall_time_ms(given.text);
  if (ms < 0) given.refuse(given.text, "a duration (1h30m, 1d), seconds (90), or as in Slurm MM:SS, HH:MM:SS, D-HH, D-HH:MM or D-HH:MM:SS");
  else given.options.timeout_ms = ms;
}

// Takes the words of Go's strconv.ParseBool, as src/options/values.ts does. Any other word changes nothing here; Node rejects it.
void take_boolean(const std::string& text, bool& out) {
  for (const auto& [yes, no] : {std::pair{"true", "false"}, {"t", "f"}, {"1", "0"}}) {
    if (strcasecmp(text.c_str(), yes) == 0) out = true;
    if (strcasecmp(text.c_str(), no) == 0) out = false;
  }
}

// As src/adopt/options.ts, which tells what is wrong.
int pid_of(const std::string& text) {
  if (text.empty() || text.size() > 16 || text.find_first_not_of("0123456789") != std::string::npos) return 0;
  const long long pid = std::atoll(text.c_str());
  return pid <= kMostPid ? static_cast<int>(pid) : 0;
}

void take_of_adopt(Options& options, const std::string& option, const std::string& text) {
  if (option == "detach") take_boolean(text, options.detach);
  if (option == "pid") options.pid = pid_of(text);
  if (option == "log-file") options.log_file = text;
  if (option == "pid-file") options.pid_file = text;
  if (option == "serve" || option == "via") options.gone = "--" + option;
}

void take(Options& options, const std::string& source, const std::string& option, const std::string& text) {
  const Given given{options, source, text};
  bool asks = false;  // for help or the version
  if (option == "argv0") options.name = text;
  if (option == "agent") options.agent = text;
  if (option == "config") options.config = text;
  if (option == "uri" || option == "uri-file" || option == "rascal-config") options.names_broker = true;
  if (option == "debug") take_boolean(text, options.debug);
  if (option == "enforce") options.strict = text == "strict";
  if (option == "failure") options.failure_open = text == "open";
  if (option == "reraise") take_boolean(text, options.reraise);
  if (option == "grace") take_duration(given, options.grace_ms);
  if (option == "stop-signal") take_signal(given);
  if (option == "rlimit" && !text.empty()) take_rlimits(given);
  if (option == "version" || option == "help" || option == "h") take_boolean(text, asks);
  if (asks && options.verb.empty()) options.verb = option == "version" ? "--version" : "--help";
  if (options.adopts()) take_of_adopt(options, option, text);
  if (option != "timeout") return;
  if (text == "scheduler" || is_unlimited(text)) options.timeout_ms = 0;
  else take_limit(given);
}

void take_variables(Options& options, const Words& words) {
  for (const std::string option : {"agent", "argv0", "config", "debug", "enforce", "failure", "reraise", "timeout", "grace", "stop-signal", "rlimit", "uri", "uri-file", "rascal-config"}) {
    std::string name = "PBOX_" + option;
    for (char& letter : name) letter = letter == '-' ? '_' : static_cast<char>(std::toupper(letter));
    const char* text = words.variable(name.c_str());
    if (text) take(options, name, option, text);
  }
}

bool is_boolean(const std::string& option) {
  const auto same = [&](const char* known) { return option == known; };
  // `detach` belongs to `adopt`, and `-h` stands for --help.
  return option == "h" || option == "detach" || std::any_of(std::begin(kBooleans), std::end(kBooleans), same);
}

bool is_option(const char* word) { return word[0] == '-' && word[1] != 0; }
bool is_separator(const char* word) { return std::strcmp(word, "--") == 0; }
// The word without its dashes: `name` or `name=value`.
std::string assignment(const char* word) { return word + (word[1] == '-' ? 2 : 1); }

// Finds the command as Go's `flag` does, which takes any word as the value of an option that needs one.
int command_index(const Words& words, int first) {
  int i = first;
  for (; i < words.count(); i++) {
    const char* word = words.argv[static_cast<size_t>(i)];
    if (!is_option(word)) return i;
    if (is_separator(word)) return i + 1;
    const std::string option = assignment(word);
    if (option.find('=') == std::string::npos && !is_boolean(option)) i++;
  }
  return std::min(i, words.count());
}

// If a value was forgotten, the option or the `--` that follows must still count: `--memory --pids 5 -- app`.
bool is_value(const std::string& option, const char* word) {
  return word && !is_separator(word) && (std::strncmp(word, "--", 2) != 0 || option == "argv0");
}

void lacks_value(Options& options, const std::string& option) {
  if (options.error.empty()) options.error = "--" + option + " needs a value";
}

void take_words(Options& options, const Words& words, int first) {
  for (int i = first; i < words.count(); i++) {
    const char* word = words.argv[static_cast<size_t>(i)];
    if (!is_option(word)) return;
    if (is_separator(word)) {
      options.fallback = i + 1;
      return;
    }
    const std::string source = assignment(word), option = source.substr(0, source.find('='));
    const char* next = words.argv[static_cast<size_t>(i) + 1];
    if (option.size() < source.size()) take(options, "--" + option, option, source.substr(option.size() + 1));
    else if (is_boolean(option)) take(options, "--" + option, option, "true");
    else if (is_value(option, next)) take(options, "--" + option, option, words.argv[static_cast<size_t>(++i)]);
    else lacks_value(options, option);
  }
}

}  // namespace

Options read_options(const Words& words) {
  Options options;
  const auto set = [&](const char* name) { const char* value = words.variable(name); return value && *value; };
  // PBS reports a job that died of signal n as 256+n.
  options.reraise = set("PBS_JOBID");
  options.timeout_ms = std::any_of(std::begin(kSchedulers), std::end(kSchedulers), set) ? 0 : kTimeoutMs;
  take_variables(options, words);
  const std::vector<RlimitWire> of_variables = std::move(options.rlimits);
  options.rlimits.clear();
  const char* first = words.count() > 1 ? words.argv[1] : "";
  const auto same = [&](const char* verb) { return std::strcmp(first, verb) == 0; };
  if (std::any_of(std::begin(kVerbs), std::end(kVerbs), same)) options.verb = first;
  const int begin = options.verb.empty() ? 1 : 2;
  options.command = command_index(words, begin);
  take_words(options, words, begin);
  if (options.rlimits.empty()) options.rlimits = of_variables;
  return options;
}

}  // namespace pbox
