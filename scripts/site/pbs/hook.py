"""proc_box under OpenPBS: boxes every task that MoM launches. docs/pbs.md.

One hook handles the events queuejob, modifyjob, execjob_launch, execjob_epilogue and execjob_end. Its configuration is the
JSON file that is imported with it. It needs Python 3 with the standard library, and the `pbs` module. Outside PBS it checks a
configuration: python3 hook.py config.json

PBS starts Python anew for each event, and Python takes longer to import a module than this hook needs for everything else. So each
function imports what most launches have no use for.
"""
import os
import sys

try:
    import pbs
except ImportError:
    pbs = None  # outside PBS


def is_text(value):
    return isinstance(value, str) and value != ""


def is_path(value):
    return is_text(value) and value.startswith("/")


def is_policy(value):
    return is_text(value) and (value in ("off", "default", "strict") or value.startswith("-"))


def is_list(value):
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def is_switch(value):
    return isinstance(value, bool)


def is_time(value):
    # MoM ends a hook after 30 s.
    return isinstance(value, (int, float)) and not is_switch(value) and 0 < value <= 25


# Per key of the configuration: its default, the check for other values, and a description of these.
KEYS = {
    "proc_box": (None, is_path, "an absolute path that every node has"),
    "policy": ("default", is_policy, "off, default, strict, or options: for jobs that do not ask for a box"),
    "default": ([], is_list, "a list of words: options of every box"),
    "strict": (["--enforce", "strict"], is_list, "a list of words: options that `strict` adds to them"),
    "allow_off": (True, is_switch, "true or false: whether a job may ask for box=off"),
    "fixed": ([], is_list, "a list of words: options of every box that jobs cannot change"),
    "fail": ("open", lambda value: value in ("open", "closed"), "open or closed: whether a job that cannot be boxed runs"),
    "job_cgroup": (True, is_switch, "true or false: whether the tasks of a job on a node share its limits"),
    "cgroup_root": (None, is_path, "an absolute path: the directory for these groups; the default is below MoM's own group"),
    "flush": (None, is_list, "a list of words: the command that sends the messages that killed boxes have left in their spool"),
    "flush_seconds": (20, is_time, "seconds, at most 25"),
}
# Where npm puts it, if the configuration names no path.
USUAL = ("/usr/local/bin/proc_box", "/usr/bin/proc_box")
RESOURCE = "box"
PACKED = "PBOX_ARGV"  # proc_box takes its command line from here, because MoM does not keep arguments intact
CARRIED = "PBOX_PBS_ARGUMENTS"
RESTARTS = "PBS_RESTART_COUNT"  # PBS tells jobs nothing about earlier runs: src/scheduler/identity.ts
# What is not encoded. The comma is, because it separates variables between MoM and hooks.
PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./=:@+-")


def configured():
    """The configuration that the site has imported with the hook."""
    if pbs.hook_config_filename is None:
        return {}
    return read_json(pbs.hook_config_filename)


def read_json(path):
    """Raises ValueError if the file does not hold a JSON object."""
    import json

    given = json.loads(read(path))
    if not isinstance(given, dict):
        raise ValueError("expected a JSON object")
    return given


def complete(given):
    """The configuration, completed by the defaults. Raises ValueError for an unknown key or an invalid value."""
    for key, value in sorted(given.items()):
        if key not in KEYS:
            raise ValueError("unknown key %s; known keys are %s" % (key, ", ".join(sorted(KEYS))))
        default, fits, what = KEYS[key]
        if value != default and not fits(value):
            import json

            raise ValueError("%s: %s; expected %s" % (key, json.dumps(value), what))
    return dict({key: default for key, (default, _, _) in KEYS.items()}, **given)


def log(message, level=None):
    """Logs a line. A failure to log has no other effect."""
    try:
        pbs.logmsg(pbs.EVENT_ERROR if level is None else level, "proc_box: " + message)
    except Exception:
        pass


def options_of(job, config):
    """Options of proc_box for this job, or None if it gets no box. Raises ValueError if the job's resource is invalid."""
    word = asked(job)
    policy = word or config["policy"]
    if policy == "off" and word and not config["allow_off"]:
        raise ValueError("box=off is not allowed here; ask for box=default")
    if policy in ("off", "default", "strict"):
        return site_options(policy, config)
    if not policy.startswith("-"):
        raise ValueError('box=%s: expected off, default, strict, or options like "--memory 4G --pids 500"' % policy)
    options = parse(split(policy), "box=%s" % policy)
    if word:
        check_asked(options, config, "box=%s" % policy)
    return list(config["default"]) + words_of(options) + list(config["fixed"])


def is_plainly_off(job):
    """Whether the job asks for no box, and the configuration does not speak of that. To parse it would take most of the time of such
    a launch. An escape in it might hide the key."""
    if asked(job) != "off":
        return False
    text = read(pbs.hook_config_filename) if pbs.hook_config_filename else ""
    return "allow_off" not in text and "\\" not in text


def site_options(policy, config):
    """Options of a job without options of its own, or whose own options are invalid."""
    if policy == "off":
        return None
    own = list(config["strict"]) if policy == "strict" else split(policy) if policy.startswith("-") else []
    return list(config["default"]) + own + list(config["fixed"])


def asked(job):
    """The job's resource without the quotes around it; empty if the job has none, or if this PBS does not know the resource."""
    try:
        word = str(job.Resource_List[RESOURCE] or "").strip()
    except (AttributeError, KeyError, TypeError):
        return ""
    quoted = len(word) > 1 and word[0] == word[-1] and word[0] in "'\""
    return word[1:-1].strip() if quoted else word


def split(options):
    if len(options) > BOX_MAX:
        raise ValueError("box=%s...: longer than %d characters" % (options[:60], BOX_MAX))
    import shlex

    try:
        words = shlex.split(options)
    except ValueError as error:
        raise ValueError("box=%s: %s; quote it as a shell would" % (options, error))
    if "--" in words:
        raise ValueError("box=%s: options only, without --" % options)
    return words


# --- options of proc_box, checked as far as possible before a box exists: src/options/table/


BOOLEAN = ("debug", "help", "linger", "multiRmtKey", "nowarn", "oom-group", "pss", "quiet", "report", "reraise", "runanyway", "version")
SIZE = ("memory", "memory-high", "outbox-bytes", "spool-max-bytes", "stdoutlimit", "swap")
DURATION = ("cpu-time", "flush", "grace", "msgtimeout", "rows-interval", "sint", "spool-max-age", "timeout")
COUNT = ("cpu-weight", "cpus", "outbox-messages", "pids", "rows")
TEXT = (
    "agent", "argv0", "audit-log", "cgroup", "config", "control-auth", "control-keys", "control-rules", "cpuset", "ekey", "enforce",
    "exchange", "failure", "io-max", "json", "near", "rascal-config", "refuse", "reply-exchange", "report-file", "rkey",
    "rlimit", "skey", "spool-dir", "stop-signal", "tls-ca", "tls-cert", "tls-key", "uri", "uri-file", "warn-signal",
)
# These patterns may accept values that proc_box refuses, but never the reverse.
FITS = dict(
    [(name, (r"1|t|T|true|TRUE|True|0|f|F|false|FALSE|False", "true or false")) for name in BOOLEAN]
    + [(name, (r"[+-]?\d+(\.\d+)? ?([kmgtp](i?b)?|b)?|none|unlimited|infinity", "a size, for example 512M")) for name in SIZE]
    + [(name, (r"[+-]?(\d|\.\d)[\d.:a-z\u00b5\u03bc-]*|none|unlimited|infinity|scheduler", "a duration, for example 1h30m")) for name in DURATION]
    + [(name, (r"[+-]?\d+(\.\d+)?|\.\d+|none|unlimited|infinity", "a number")) for name in COUNT]
    + [(name, (r".+", "a value")) for name in TEXT]
)
# A job does not decide how it fails without a box, nor which program is executed.
NOT_ASKED = ("argv0", "failure", "help", "refuse", "version")
BOX_MAX = 16384  # characters


def parse(words, what):
    """The words as [(name, value)]. Raises ValueError for a word that is not an option, and for an invalid value."""
    import re

    options, words = [], list(words)
    while words:
        word = words.pop(0)
        match = re.match(r"^--?([A-Za-z][\w-]*)(?:=(.*))?$", word, re.S)
        if match is None:
            raise ValueError("%s: %s is not an option" % (what, word))
        name, value = match.groups()
        if name not in FITS:
            import difflib

            near = difflib.get_close_matches(name, FITS, 1)
            raise ValueError("%s: unknown option --%s%s" % (what, name, "; did you mean --%s?" % near[0] if near else ""))
        if value is None and name not in BOOLEAN:
            if not words:
                raise ValueError("%s: --%s needs a value" % (what, name))
            value = words.pop(0)
        pattern, expected = FITS[name]
        if value is not None and not re.match(r"^(?:%s)$" % pattern, value, re.A | re.S | re.I):
            raise ValueError("%s: --%s %s: expected %s" % (what, name, value, expected))
        options.append((name, value))
    return options


def words_of(options):
    """The options as words. A value that begins with a dash is attached, so that it is not taken for an option."""
    words = []
    for name, value in options:
        glued = value is not None and (name in BOOLEAN or value.startswith("-"))
        words += ["--%s=%s" % (name, value)] if glued else ["--" + name] if value is None else ["--" + name, value]
    return words


def check_asked(options, config, what):
    fixed = [name for name, _ in parse(config["fixed"], "fixed")]
    for name, _ in options:
        if name in NOT_ASKED:
            raise ValueError("%s: jobs may not set --%s; leave it out" % (what, name))
        if name in fixed:
            raise ValueError("%s: the site has locked --%s; leave it out" % (what, name))


def pack(words):
    """Packs words as native/src/front/words.cc unpacks them: each word ends with a semicolon."""
    return "".join("".join(map(encoded, word)) + ";" for word in words)


def encoded(character):
    return character if character in PLAIN else "".join("%%%02X" % byte for byte in as_bytes(character))


def unpack(text):
    return [decoded(part) for part in text.split(";")[:-1]]


def decoded(word):
    """Raises ValueError for a percent sign without two hexadecimal digits."""
    first, *others = as_bytes(word).split(b"%")
    return (first + b"".join(bytes([int(part[:2], 16)]) + part[2:] for part in others)).decode("utf-8", "surrogateescape")


def as_bytes(text):
    return text.encode("utf-8", "surrogateescape")


def cut(word):
    """Changes an argument as MoM does on the way to a hook."""
    return word.split("\n", 1)[0].strip()


# --- at the server


def submitted(event, config):
    """A job is queued or changed: tells its user at once about invalid options."""
    try:
        options_of(event.job, config)
    except ValueError as error:
        event.reject("proc_box: %s" % error)
    if event.type == pbs.QUEUEJOB:
        carry_arguments(event.job)


def carry_arguments(job):
    """MoM drops empty arguments of `qsub -- command`, and hooks lose newlines and outer blanks. The environment keeps them all."""
    given = str(getattr(job, "argument_list", None) or "")
    if not given:
        return
    import html
    import re

    found = re.findall(r"<jsdl-hpcpa:Argument>(.*?)</jsdl-hpcpa:Argument>", given, re.S)
    arguments = [html.unescape(word) for word in found]
    if any(word == "" or word != cut(word) for word in arguments):
        job.Variable_List[CARRIED] = pack(arguments)


# --- at MoM


def launch(event, config):
    try:
        # If the site boxes a job, and not its user, nothing of ours stands in its output but why the box ended it.
        quiet, refused = [] if asked(event.job) else ["--quiet"], []
        options = options_of(event.job, config)
    except Exception as error:
        # A job does not escape the site's box by whatever it asks for. The box reports that on stderr and in an event.
        log("%s: %s" % (event.job.id, error))
        policy = "default" if config["policy"] == "off" else config["policy"]
        quiet, refused = [], ["--refuse", " ".join(str(error).split())[:1000]]
        options = site_options(policy, config)
    if options is None:
        return
    wrapper = find_wrapper(config)
    if config["job_cgroup"]:
        try:
            share_limits(event.job, options, config)
        except Exception as error:
            log("%s: its tasks do not share their limits: %s" % (event.job.id, error))
    restarts = restarts_of(event.job)
    # A job that was not requeued keeps its environment as it is.
    if restarts > 0 or event.env.get(RESTARTS):
        event.env[RESTARTS] = str(restarts)
    # Expand `~/` as a shell would: boxes run as the job's user and read that user's files.
    home = str(event.env.get("HOME") or "~")
    options = [home + word[1:] if word.startswith("~/") else word for word in options]
    arguments = whole_arguments(event)
    # A login shell gets no arguments, and a name that begins with a dash.
    name = arguments[0] if arguments else "-" + os.path.basename(event.progname)
    named = ["--argv0", name] if name != event.progname else []
    words = ["--failure", config["fail"]] + quiet + options + refused + named
    event.env[PACKED] = pack(words + ["--", event.progname] + arguments[1:])
    event.progname = wrapper
    event.argv = ["proc_box"]


def restarts_of(job):
    """How often the job was requeued. run_version counts its runs; users may set run_count, which older releases have instead."""
    for name in ("run_version", "run_count"):
        try:
            runs = int(str(getattr(job, name)))
        except (AttributeError, TypeError, ValueError):
            continue  # this PBS does not tell
        if runs > 0:
            return runs - 1
    return 0


def find_wrapper(config):
    """The path of proc_box on this node. Raises OSError if it has none."""
    paths = USUAL if config["proc_box"] is None else (config["proc_box"],)
    for path in paths:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise OSError(
        "%s is missing on %s or not executable; install proc_box there, or name its path in the hook's configuration (proc_box)"
        % (" or ".join(paths), pbs.get_local_nodename())
    )


def unboxed(event, why):
    """The job runs without a box: tells everybody, and fails at nothing."""
    log("%s runs without a box" % event.job.id)
    for tell_them in (to_syslog, to_stderr):
        try:
            tell_them(event, "this job runs without a box: %s" % why)
        except Exception as error:
            log("%s: %s" % (tell_them.__name__, error))


# Only bash can give a program another name than its path, which makes a login shell of it. Its options keep startup files out.
BASH = "/bin/bash"
TELL = 'echo "$1" >&2; shift; exec -a "$@"'


def to_stderr(event, message):
    """Lets the task write a line to its stderr before it executes its command. Without bash only MoM's log has the line."""
    if not os.access(BASH, os.X_OK):
        return
    arguments = [str(word) for word in event.argv]
    name = arguments[0] if arguments else "-" + os.path.basename(event.progname)
    words = ["bash", "--noprofile", "-p", "-c", TELL, "bash", "proc_box: error: " + " ".join(message.split()), name, event.progname]
    event.argv = words + arguments[1:]
    event.progname = BASH


def to_syslog(event, message):
    """Without proc_box nothing can publish an event, so the node's syslog has it, where sites collect what is wrong with nodes."""
    import syslog  # late, because few launches need it

    syslog.openlog("proc_box", 0, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_ERR, "job %s: %s" % (event.job.id, message))


def whole_arguments(event):
    """The arguments as the user gave them, if the server's hook has passed them on."""
    given = [str(word) for word in event.argv]
    try:
        whole = unpack(str(event.env.get(CARRIED) or ""))
    except ValueError:
        return given  # the user has set that variable
    # A task of pbsdsh has the same environment, but its own arguments.
    same = [cut(word) for word in whole if cut(word)] == [word for word in given[1:] if word]
    return given[:1] + whole if whole and same else given


# --- limits that the tasks of a job share on this node


# Per option of proc_box: the controller, its files in cgroup v1 and v2, and how to write the value to them.
LIMITS = {
    "memory": ("memory", "memory.limit_in_bytes", "memory.max", lambda text: str(size(text))),
    "pids": ("pids", "pids.max", "pids.max", str),
    "cpus": ("cpu", "cpu.cfs_quota_us", "cpu.max", lambda text: str(int(float(text) * 100000))),
}
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50}


def size(text):
    import re

    match = re.match(r"^(\d+(?:\.\d+)?) ?([KMGTP]?)(?:i?B)?$", text, re.I)
    if match is None:
        raise ValueError("%s is not a size; expected for example 512M" % text)
    return int(float(match.group(1)) * UNITS[match.group(2).upper()])


def share_limits(job, options, config):
    """Puts the task into a group of the job for each limit. If that is not possible, each task has the limit for itself."""
    limits, task = given_limits(options), os.getppid()
    reason = None if not limits else why_apart(task)
    if reason is not None:
        return apart(job, limits, reason)
    for option, value in sorted(limits.items()):
        try:
            base, version = own_group(LIMITS[option][0], config["cgroup_root"])
            enter_group(base, version, job, option, value, task)
        except (ArithmeticError, LookupError, OSError, ValueError) as error:
            apart(job, [option], error)


def apart(job, limits, reason):
    log("each task of %s has its own --%s: %s" % (job.id, ", --".join(sorted(limits)), reason), pbs.EVENT_DEBUG)


def given_limits(options):
    """The last value of each limit in LIMITS. The box itself reports invalid options."""
    try:
        given = dict(parse(options, "options"))
    except ValueError as error:
        log("limits shared by all tasks: %s" % error, pbs.EVENT_DEBUG)
        return {}
    return {name: given[name] for name in LIMITS if name in given and not is_none(given[name])}


def is_none(value):
    return value.lower() in ("none", "unlimited", "infinity") or value.strip("0") == ""


def why_apart(task):
    """The reason why the task cannot be moved, or None. Only children of MoM are moved, and none leaves a group that PBS has
    given it."""
    name, parent = name_and_parent(task)
    if name != "pbs_mom" or name_and_parent(parent)[0] != "pbs_mom":
        return "process %d is not a task of MoM" % task
    if read("/proc/self/cgroup") != read("/proc/%d/cgroup" % parent):
        return "PBS has given it a control group"
    return None


def name_and_parent(pid):
    try:
        before, after = read("/proc/%d/stat" % pid).rsplit(")", 1)
    except OSError:
        return "", 0
    return before.split("(", 1)[1], int(after.split()[1])


def group_name(job):
    import re

    return "proc_box-job-" + re.sub(r"[^\w.+-]", "_", job.id)


def own_group(controller, root):
    """(directory, version) of MoM's group in the hierarchy with this controller. Raises LookupError if there is none."""
    mounts = [line.split(" - ") for line in read("/proc/self/mountinfo").splitlines()]
    groups = [line.split(":", 2) for line in read("/proc/self/cgroup").splitlines()]
    for before, after in mounts:
        kind, _, options = after.split(" ", 2)
        _, _, _, mount_root, point = before.split(" ")[:5]
        version = {"cgroup": 1, "cgroup2": 2}.get(kind)
        if version is None or (version == 1 and controller not in options.split(",")):
            continue
        path = next(path for _, names, path in groups if controller in names.split(",") or (version == 2 and names == ""))
        base = root if root is not None and root.startswith(point + "/") else point + "/" + os.path.relpath(path, mount_root)
        base = os.path.normpath(base)
        if version == 2 and controller not in read(base + "/cgroup.controllers").split():
            continue
        return base, version
    raise LookupError("no available control group has the controller; name one in cgroup_root")


def enter_group(base, version, job, option, value, task):
    """Makes `base`/<job>, which has the limit, and in it task-<pid>, which holds the task and belongs to the user."""
    controller, v1, v2, as_text = LIMITS[option]
    limit = as_text(value)
    group = os.path.join(base, group_name(job))
    leaf = os.path.join(group, "task-%d" % task)
    if version == 2:
        hand_down(base, controller)
    make(group)
    remove_ended(group)
    write(os.path.join(group, v1 if version == 1 else v2), limit)
    if version == 2:
        hand_down(group, controller)
    make(leaf)
    import pwd

    # The user can make the box's group in this group, but cannot move processes out of it.
    account = pwd.getpwnam(str(job.euser))
    for name in ("", "cgroup.procs", "tasks", "cgroup.subtree_control", "cgroup.threads"):
        path = os.path.join(leaf, name)
        if os.path.exists(path):
            os.chown(path, account.pw_uid, account.pw_gid)
    write(os.path.join(leaf, "cgroup.procs"), str(task))


def hand_down(group, controller):
    """Enables the controller for the groups below. Some controllers can be enabled although the group holds processes, but then
    the groups below are useless: cgroups(7), "no internal processes"."""
    control = os.path.join(group, "cgroup.subtree_control")
    if controller in read(control).split():
        write(control, "+" + controller)  # waits for a concurrent write, after which the files below appear
        return
    if os.path.exists(os.path.join(group, "cgroup.type")) and read(os.path.join(group, "cgroup.procs")) != "":
        raise OSError("%s holds processes, so it cannot delegate controllers; name another directory in cgroup_root" % group)
    write(control, "+" + controller)


def make(group):
    """Makes a group with a fixed mode, because MoM's hooks have the umask of the job."""
    try:
        os.mkdir(group)
    except FileExistsError:
        pass
    os.chmod(group, 0o755)


def remove_ended(group):
    """Removes the groups of tasks that have ended. A job may have thousands of them, one after the other."""
    for name in os.listdir(group):
        if name.startswith("task-") and not os.path.exists("/proc/" + name[len("task-") :]):
            try:
                remove(os.path.join(group, name), patience=0)
            except OSError:
                pass  # a process of the task is alive


def remove(group, patience=20):
    """Removes a group with the groups below it. Processes that were just killed may still be in them for a moment."""
    import time

    for folder, _, _ in os.walk(group, topdown=False):
        for left in range(patience, -1, -1):
            try:
                os.rmdir(folder)
                break
            except FileNotFoundError:
                break
            except OSError:
                if left == 0:
                    raise
            time.sleep(0.05)


def read(path):
    """Reads a file. The names of processes in it may hold any byte."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def write(path, value):
    try:
        with open(path, "w") as file:
            file.write(value)
    except OSError as error:
        raise OSError("write %s to %s: %s" % (value, path, error.strerror))


# --- the end of a job on this node


def ended(event, config):
    """MoM has ended the job: kills and removes the rest of it. An error is logged and has no other effect."""
    steps = [kill_strays]
    # MoM waits for the hook at the epilogue on a sister node, but not at execjob_end.
    if event.type == pbs.EXECJOB_END:
        steps += [remove_groups, flush_spool]
    for step in steps:
        try:
            step(event.job, config)
        except (OSError, LookupError, ValueError) as error:
            log("%s of %s: %s" % (step.__name__, event.job.id, error))


# These processes end by themselves when their work is done.
SPARED = ("pbs_demux", "proc_box-guard")


def kill_strays(job, _config):
    """Kills the processes of the job's user that have the job's id in their environment, until none is left."""
    import pwd
    import signal
    import time

    uid = pwd.getpwnam(str(job.euser)).pw_uid
    mark = ("PBS_JOBID=%s" % job.id).encode()
    spared = SPARED if pbs.event().type == pbs.EXECJOB_EPILOGUE else ()
    for _ in range(20):
        pids = map(int, filter(str.isdigit, os.listdir("/proc")))
        strays = [pid for pid in pids if pid != os.getpid() and is_stray(pid, uid, mark) and name_and_parent(pid)[0] not in spared]
        if not strays:
            return
        log("%s has left %d processes; killed" % (job.id, len(strays)), pbs.EVENT_DEBUG)
        for pid in strays:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it has ended
        time.sleep(0.05)


def is_stray(pid, uid, mark):
    try:
        if owner(pid) != uid:
            return False
        with open("/proc/%d/environ" % pid, "rb") as file:
            return mark in file.read().split(b"\0")
    except OSError:
        return False  # it has ended


def owner(pid):
    return next(int(line.split()[1]) for line in read("/proc/%d/status" % pid).split("\n") if line.startswith("Uid:"))


def remove_groups(job, config):
    for controller in sorted({limit[0] for limit in LIMITS.values()}):
        try:
            base, _ = own_group(controller, config["cgroup_root"])
        except LookupError:
            continue
        remove(os.path.join(base, group_name(job)))


def flush_spool(_job, config):
    """Runs as root, for all users: proc_box publishes only what each user's boxes would have sent, and follows no links."""
    command = config["flush"]
    if not command:
        return
    import subprocess

    seconds, output = config["flush_seconds"], subprocess.PIPE
    try:
        ran = subprocess.run(command, timeout=seconds, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    except subprocess.SubprocessError as error:
        raise OSError(str(error))
    said = (ran.stdout.decode("utf-8", "replace").strip().splitlines() or ["no output"])[-1]
    if ran.returncode != 0:
        raise OSError("%s: exit status %d: %s" % (command[0], ran.returncode, said))
    log("%s: %s" % (command[0], said), pbs.EVENT_DEBUG)


# --- the entry points


def main():
    event = pbs.event()
    given = {}
    try:
        if event.type == pbs.EXECJOB_LAUNCH and is_plainly_off(event.job):
            event.accept()
        given = configured()
        config = complete(given)
        if event.type == pbs.EXECJOB_LAUNCH:
            launch(event, config)
        elif event.type in (pbs.EXECJOB_EPILOGUE, pbs.EXECJOB_END):
            ended(event, config)
        else:
            submitted(event, config)
    except Exception as error:
        # Only a launch is refused. The launch catches whatever the hook at the server misses.
        log("%s: %s" % (event.job.id or "a new job", error))
        if event.type == pbs.EXECJOB_LAUNCH and given.get("fail") == "closed":
            event.reject("proc_box: %s" % error)
        if event.type == pbs.EXECJOB_LAUNCH:
            unboxed(event, error)
    event.accept()


def check(path):
    try:
        config = complete(read_json(path))
        for key in ("default", "strict", "fixed"):
            parse(config[key], key)
        parse(split(config["policy"]) if config["policy"].startswith("-") else [], "policy")
    except (OSError, ValueError) as error:
        sys.exit("the configuration cannot be used: %s; docs/pbs.md has its keys" % error)


if pbs is not None:
    main()
else:
    check(sys.argv[1])
