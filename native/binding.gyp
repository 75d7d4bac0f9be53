{
  'variables': {
    # A static keeper stays under 1 MB resident; hosts without libc.a get a dynamic one.
    'static_flag': '<!(printf "int main(){return 0;}" | c++ -x c++ - -static -o /dev/null 2>/dev/null && echo -static || echo -Wl,-O1)',
    'node_binary': '<!(node -p process.execPath)',
    'node_flags': '<!(node -p "require(\'fs\').readFileSync(\'node-flags.txt\',\'utf8\').trim().split(/\\s+/).join(\' \')")',
  },
  'target_defaults': {
    'cflags_cc': ['-std=c++17', '-Wall', '-Wextra', '-Werror', '-O2'],
    'defines': ['_GNU_SOURCE', 'PROTOCOL_CHECKSUM=<!(cksum < src/protocol.h | cut -d " " -f 1)u'],
  },
  'targets': [
    {
      'target_name': 'cgroup_utils_native',
      'sources': ['src/addon.cc', 'src/js_files.cc', 'src/js_frames.cc', 'src/js_host.cc', 'src/js_keeper.cc', 'src/js_process.cc', 'src/js_sample.cc', 'src/js_signals.cc', 'src/js_timer.cc', 'src/clock.cc', 'src/frames.cc', 'src/link.cc', 'src/members.cc', 'src/sample.cc', 'src/tree.cc', 'src/rlimit.cc', 'src/launch.cc', 'src/text.cc', 'src/js_outlet.cc', 'src/outlet.cc', 'src/process.cc', 'src/remove_groups.cc', 'src/freezer.cc', 'src/text_file.cc', 'src/js_suspension.cc', 'src/js_text.cc', 'src/suspension.cc'],
      'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
      'defines': ['NAPI_VERSION=8', 'NAPI_DISABLE_CPP_EXCEPTIONS'],
      # Loading it is on the launch path: fewer pages and relocations.
      'cflags_cc': ['-fno-exceptions', '-fno-rtti', '-Os', '-fvisibility=hidden', '-fvisibility-inlines-hidden', '-ffunction-sections', '-fdata-sections'],
      'ldflags': ['-Wl,--gc-sections', '-Wl,-Bsymbolic', '-s'],
    },
    {
      'target_name': 'proc_box',
      'type': 'executable',
      'sources': ['src/front.cc', 'src/front_end.cc', 'src/wrapper.cc', 'src/alone.cc', 'src/node.cc', 'src/words.cc', 'src/options.cc', 'src/say.cc', 'src/detach.cc', 'src/serve.cc', 'src/via.cc', 'src/guard.cc', 'src/deadline.cc', 'src/patience.cc', 'src/clock.cc', 'src/frames.cc', 'src/link.cc', 'src/keeper.cc', 'src/start.cc', 'src/descendants.cc', 'src/output.cc', 'src/adopted.cc', 'src/stranger.cc', 'src/control.cc', 'src/members.cc', 'src/caller.cc', 'src/job.cc', 'src/cgroup.cc', 'src/usage.cc', 'src/relay.cc', 'src/tree.cc', 'src/rlimit.cc', 'src/printable.cc', 'src/disposition.cc', 'src/freezer.cc', 'src/ladder.cc', 'src/process.cc', 'src/remove_groups.cc', 'src/survivors.cc', 'src/text_file.cc', 'src/written.cc', 'src/write_watch.cc'],
      'defines': ['NODE_BINARY="<(node_binary)"', 'NODE_FLAGS="<(node_flags)"'],
      'cflags_cc': ['-fno-exceptions', '-fno-rtti', '-fno-pie', '-ffunction-sections', '-fdata-sections', '-U_FORTIFY_SOURCE'],
      'cflags': ['-fno-pie'],
      'ldflags': ['<(static_flag)', '-no-pie', '-Wl,--gc-sections', '-s'],
      'libraries!': ['-rdynamic'],
      'ldflags!': ['-rdynamic', '-pthread'],
    },
  ],
}
