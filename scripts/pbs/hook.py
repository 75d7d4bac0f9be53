"""proc_box under OpenPBS: boxes every task that MoM launches. docs/pbs.md.

One hook for the events queuejob, modifyjob, execjob_launch, execjob_epilogue and execjob_end; its configuration is the JSON
file that is imported with it. Python 3 with nothing but its standard library and the `pbs` module.
"""
import html
import json
import os
import pwd
import re
import shlex
import signal
import subprocess
import time

import pbs

DEFAULTS = {
    "proc_box": "/usr/local/bin/proc_box",  # on every node
    "policy": "default",  # of jobs that say nothing: off, default, strict, or options
    "default": [],  # options of `default`, and first ones of what a job gives itself
    "strict": ["--enforce", "strict"],  # added by `strict`
    "allow_off": True,  # whether a job may say `-l box=off`
    "fail": "open",  # open: where a job cannot be boxed it runs without; closed: it does not run
    "job_cgroup": True,  # where possible the tasks of a job share a control group on each node
    "cgroup_root": None,  # where: a directory of the administrator's; default below MoM's own group
    "flush": None,  # command that sends what killed boxes have left in their spool, as a list of words
    "flush_seconds": 20,  # at most this long
}
RESOURCE = "box"
PACKED = "PBOX_ARGV"  # proc_box takes its command line from here: MoM keeps no argument as it is
CARRIED = "PBOX_PBS_ARGUMENTS"
KEPT = re.compile(r"[^A-Za-z0-9_./=:,@+-]")
ARGUMENT = re.compile(r"<jsdl-hpcpa:Argument>(.*?)</jsdl-hpcpa:Argument>", re.S)


def settings():
    """The configuration over its defaults. Raises ValueError for a key that is not known, and for text that is no JSON."""
    path = pbs.hook_config_filename
    given = {}
    if path is not None:
        with open(path) as text:
            given = json.load(text)
    unknown = sorted(set(given) - set(DEFAULTS))
    if unknown:
        raise ValueError("%s: unknown key %s; known are %s" % (path, ", ".join(unknown), ", ".join(sorted(DEFAULTS))))
    return dict(DEFAULTS, **given)


def log(message, level=None):
    pbs.logmsg(pbs.EVENT_ERROR if level is None else level, "proc_box: " + message)


def options_of(job, config):
    """Options of proc_box for this job, or None where it is not boxed. Raises ValueError for what nobody can mean."""
    asked = job.Resource_List[RESOURCE]
    word = str(asked).strip() if asked is not None else ""
    policy = word or config["policy"]
    if policy == "off":
        if word and not config["allow_off"]:
            raise ValueError("box=off is not allowed here; ask for box=default")
        return None
    first = list(config["default"])
    if policy == "default":
        return first
    if policy == "strict":
        return first + list(config["strict"])
    if not policy.startswith("-"):
        raise ValueError('box=%s: expected off, default, strict, or options like "--memory 4G --pids 500"' % policy)
    return first + split(policy)


def split(options):
    try:
        words = shlex.split(options)
    except ValueError as error:
        raise ValueError("box=%s: %s; quote it as a shell would" % (options, error))
    if "--" in words:
        raise ValueError("box=%s: options only, without --" % options)
    return words


def pack(words):
    """As native/src/front.cc reads it: each word ends with a semicolon."""
    return "".join(KEPT.sub(lambda m: "".join("%%%02X" % byte for byte in m.group().encode("utf-8", "surrogateescape")), word) + ";" for word in words)


def unpack(text):
    parts = text.split(";")[:-1]
    return [
        re.sub(b"%([0-9A-F]{2})", lambda m: bytes([int(m.group(1), 16)]), part.encode()).decode("utf-8", "surrogateescape") for part in parts
    ]


def cut(word):
    """What MoM makes of an argument on its way to a hook."""
    return word.split("\n", 1)[0].strip()


# --- at the server


def submitted(event, config):
    """A job is queued or changed: what is wrong with it is said to the user at once."""
    try:
        options_of(event.job, config)
    except ValueError as error:
        event.reject("proc_box: %s" % error)
    if event.type == pbs.QUEUEJOB:
        carry_arguments(event.job)


def carry_arguments(job):
    """The launch hook gets the arguments of `qsub -- command` without their newlines and outer blanks; the environment keeps them."""
    words = [html.unescape(word) for word in ARGUMENT.findall(str(getattr(job, "argument_list", None) or ""))]
    if any(word != cut(word) for word in words):
        job.Variable_List[CARRIED] = pack(words)


# --- at MoM


def launch(event, config):
    options = options_of(event.job, config)
    if options is None:
        return
    wrapper = config["proc_box"]
    if not os.access(wrapper, os.X_OK):
        raise OSError("%s is missing on %s or not executable; install proc_box there or correct the hook's configuration" % (wrapper, pbs.get_local_nodename()))
    if config["job_cgroup"]:
        share_limits(event.job, options, config)
    arguments = whole_arguments(event)
    # A login shell gets no arguments, and a name that MoM makes of it.
    name = arguments[0] if arguments else "-" + os.path.basename(event.progname)
    fallback = ["--failure", "open"] if config["fail"] == "open" else []
    words = fallback + options + (["--argv0", name] if name != event.progname else []) + ["--", event.progname] + arguments[1:]
    event.env[PACKED] = pack(words)
    event.progname = wrapper
    event.argv = ["proc_box"]


def whole_arguments(event):
    """As the user gave them, where the server's hook has carried them."""
    cut_ones = [str(word) for word in event.argv]
    carried = event.env.get(CARRIED) if hasattr(event.env, "get") else None
    if carried is None:
        return cut_ones
    whole = unpack(str(carried))
    # A task of pbsdsh has the same environment and arguments of its own.
    return cut_ones[:1] + whole if [cut(word) for word in whole] == cut_ones[1:] else cut_ones


# --- limits that the tasks of a job on this node share


# Option of proc_box: file of cgroup v1 with its controller, file of cgroup v2, and how its value is written there.
LIMITS = {
    "memory": ("memory", "memory.limit_in_bytes", "memory.max", lambda text: str(size(text))),
    "pids": ("pids", "pids.max", "pids.max", str),
    "cpus": ("cpu", "cpu.cfs_quota_us", "cpu.max", lambda text: str(int(float(text) * 100000))),
}
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def size(text):
    match = re.match(r"^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$", text, re.I)
    if match is None:
        raise ValueError("%s is no size; expected for example 512M" % text)
    return int(float(match.group(1)) * UNITS[match.group(2).upper()])


def share_limits(job, options, config):
    """A group of the job's for each controller with a limit, and the task in a group below it where its box can be made."""
    limits = given_limits(options)
    task = os.getppid()
    if not limits:
        return
    if not is_task(task):
        return log("each task of %s has limits of its own: process %d is no task of MoM" % (job.id, task), pbs.EVENT_DEBUG)
    account = pwd.getpwnam(job.euser)
    groups = {}
    for option, value in limits.items():
        try:
            groups.setdefault(own_group(LIMITS[option][0], config["cgroup_root"]), {})[option] = value
        except LookupError as error:
            log("each task of %s has its own --%s: %s" % (job.id, option, error), pbs.EVENT_DEBUG)
    for (base, version), wanted in groups.items():
        try:
            enter_group(base, version, group_name(job), wanted, task, account)
        except (OSError, ValueError) as error:
            log("each task of %s has its own --%s: %s" % (job.id, ", --".join(sorted(wanted)), error), pbs.EVENT_DEBUG)


def given_limits(options):
    """The last of each that counts for the box as a whole."""
    limits = {}
    for index, word in enumerate(options):
        match = re.match(r"^--?(%s)(?:=(.*))?$" % "|".join(LIMITS), word, re.S)
        if match is not None:
            limits[match.group(1)] = match.group(2) if match.group(2) is not None else options[index + 1]
    return limits


def is_task(pid):
    """A child of MoM's that is not MoM itself: nobody else is moved."""
    name, parent = name_and_parent(pid)
    return name == "pbs_mom" and name_and_parent(parent)[0] == "pbs_mom"


def name_and_parent(pid):
    try:
        with open("/proc/%d/stat" % pid) as text:
            before, after = text.read().rsplit(")", 1)
    except OSError:
        return "", 0
    return before.split("(", 1)[1], int(after.split()[1])


def group_name(job):
    return "proc_box-job-" + re.sub(r"[^\w.+-]", "_", job.id)


def own_group(controller, root):
    """(directory, version) of MoM's group in the hierarchy that has the controller. LookupError where none has."""
    with open("/proc/self/mountinfo") as text:
        mounts = [line.split(" - ") for line in text.read().splitlines()]
    with open("/proc/self/cgroup") as text:
        groups = [line.split(":", 2) for line in text.read().splitlines()]
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
    raise LookupError("no mounted cgroup hierarchy has the controller")


def enter_group(base, version, name, wanted, task, account):
    group = os.path.join(base, name)
    leaf = os.path.join(group, "task-%d" % task)
    if version == 2:
        enable(base, wanted)
    os.makedirs(group, exist_ok=True)
    for option, value in wanted.items():
        _, v1, v2, text = LIMITS[option]
        write(os.path.join(group, v1 if version == 1 else v2), text(value))
    if version == 2:
        enable(group, wanted)
    os.makedirs(leaf, exist_ok=True)
    # The user makes the box's group in here, and moves nothing out of it.
    for path in [leaf] + [os.path.join(leaf, file) for file in ("cgroup.procs", "tasks", "cgroup.subtree_control", "cgroup.threads")]:
        if os.path.exists(path):
            os.chown(path, account.pw_uid, account.pw_gid)
    write(os.path.join(leaf, "cgroup.procs"), str(task))


def enable(group, wanted):
    write(os.path.join(group, "cgroup.subtree_control"), " ".join("+" + LIMITS[option][0] for option in sorted(wanted)))


def read(path):
    with open(path) as text:
        return text.read()


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


# --- the end of a job on this node


def ended(event, config):
    """MoM has ended the job: what is left of it goes. An error is told and disturbs nothing."""
    job = event.job
    for step in (kill_strays, remove_groups, flush_spool):
        try:
            step(job, config)
        except (OSError, LookupError, ValueError, subprocess.SubprocessError) as error:
            log("%s of %s: %s" % (step.__name__, job.id, error))


def kill_strays(job, _config):
    """Processes of the job's user that have the job's id in their environment, until none is met."""
    uid = pwd.getpwnam(job.euser).pw_uid
    mark = ("PBS_JOBID=%s" % job.id).encode()
    for _ in range(20):
        strays = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if pid != os.getpid() and is_stray(pid, uid, mark)]
        for pid in strays:
            os.kill(pid, signal.SIGKILL)
        if not strays:
            return
        log("%s has left %d processes; killed" % (job.id, len(strays)), pbs.EVENT_DEBUG)
        time.sleep(0.05)


def is_stray(pid, uid, mark):
    try:
        with open("/proc/%d/environ" % pid, "rb") as file:
            return os.fstat(file.fileno()).st_uid in (uid, 0) and owner(pid) == uid and mark in file.read().split(b"\0")
    except OSError:
        return False  # it has ended


def owner(pid):
    return next(int(line.split()[1]) for line in read("/proc/%d/status" % pid).splitlines() if line.startswith("Uid:"))


def remove_groups(job, config):
    name = group_name(job)
    for controller in sorted({limit[0] for limit in LIMITS.values()}):
        try:
            base, _ = own_group(controller, config["cgroup_root"])
        except LookupError:
            continue
        for folder, _, _ in os.walk(os.path.join(base, name), topdown=False):
            os.rmdir(folder)


def flush_spool(_job, config):
    if config["flush"] is not None:
        subprocess.run(config["flush"], timeout=config["flush_seconds"], stdin=subprocess.DEVNULL, check=True)


# --- what runs when the hook does


def main():
    event = pbs.event()
    config = None
    try:
        config = settings()
        if event.type == pbs.EXECJOB_LAUNCH:
            launch(event, config)
        elif event.type in (pbs.EXECJOB_EPILOGUE, pbs.EXECJOB_END):
            ended(event, config)
        else:
            submitted(event, config)
    except Exception as error:
        # Only a launch is refused: what a server's hook misses, the launch does.
        log("%s: %s" % (event.job.id, error))
        if event.type == pbs.EXECJOB_LAUNCH and config is not None and config["fail"] == "closed":
            event.reject("proc_box: %s" % error)
        if event.type == pbs.EXECJOB_LAUNCH:
            log("%s runs without a box" % event.job.id)
    event.accept()


main()
