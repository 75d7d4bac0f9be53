'use strict';

// Named one by one, so that ES modules can import them by name.
const native = require('./build/Release/cgroup_utils_native.node');

exports.Keeper = native.Keeper;
exports.Members = native.Members;
exports.TextFiles = native.TextFiles;
exports.readText = native.readText;
exports.writeText = native.writeText;
exports.readFile = native.readFile;
exports.access = native.access;
exports.makeDirectory = native.makeDirectory;
exports.removeDirectory = native.removeDirectory;
exports.writeStderr = native.writeStderr;
exports.Timer = native.Timer;
exports.SuspensionWatch = native.SuspensionWatch;
exports.allowedCpuCount = native.allowedCpuCount;
exports.sampleTree = native.sampleTree;
exports.prlimit = native.prlimit;
exports.processDirectory = native.processDirectory;
exports.launchKeeper = native.launchKeeper;
exports.hostSample = native.hostSample;
exports.protectSelf = native.protectSelf;
exports.killDescendants = native.killDescendants;
exports.reapChild = native.reapChild;
exports.killGroup = native.killGroup;
exports.releaseStdio = native.releaseStdio;
exports.redirectStderr = native.redirectStderr;
exports.watchSignals = native.watchSignals;
exports.exitNow = native.exitNow;
exports.dieOf = native.dieOf;
exports.stopOwnGroup = native.stopOwnGroup;
exports.monotonicMs = native.monotonicMs;
exports.lockFile = native.lockFile;
exports.randomHex = native.randomHex;
exports.hostname = native.hostname;
exports.userName = native.userName;
