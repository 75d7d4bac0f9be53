{
  'variables': {
    # A static keeper stays under 1 MB resident. Hosts without libc.a get a dynamic one.
    'static_flag': '<!(printf "int main(){return 0;}" | c++ -x c++ - -static -o /dev/null 2>/dev/null && echo -static || echo -Wl,-O1)',
    'node_flags': '<!(node -p "require(\'fs\').readFileSync(\'node-flags.txt\',\'utf8\').trim().split(/\\s+/).join(\' \')")',
  },
  'target_defaults': {
    'include_dirs': ['src'],
    'cflags_cc': ['-std=c++17', '-Wall', '-Wextra', '-Werror', '-O2'],
    'defines': ['_GNU_SOURCE', 'PROTOCOL_CHECKSUM=<!(cksum < src/wire/protocol.h | cut -d " " -f 1)u'],
  },
  'targets': [
    {
      'target_name': 'cgroup_utils_native',
      'sources': [
        'src/addon/addon.cc', 'src/addon/js_files.cc', 'src/addon/js_frames.cc', 'src/addon/js_host.cc', 'src/addon/js_keeper.cc', 'src/addon/js_listener.cc', 'src/addon/js_outlet.cc', 'src/addon/js_process.cc', 'src/addon/js_sample.cc', 'src/addon/js_service.cc', 'src/addon/js_signals.cc', 'src/addon/js_suspension.cc', 'src/addon/js_text.cc', 'src/addon/js_timer.cc', 'src/addon/old_glibc.cc', 'src/addon/spawn_keeper.cc', 'src/addon/turn.cc',
        'src/proc/clock.cc', 'src/proc/device.cc', 'src/proc/freezer.cc', 'src/proc/host.cc', 'src/proc/members.cc', 'src/proc/outlet.cc', 'src/proc/process.cc', 'src/proc/remove_groups.cc', 'src/proc/rlimit.cc', 'src/proc/run_delay.cc', 'src/proc/stat.cc', 'src/proc/suspension.cc', 'src/proc/text_file.cc', 'src/proc/tree.cc', 'src/proc/unix_socket.cc',
        'src/wire/frames.cc', 'src/wire/keeper_connection.cc',
      ],
      'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
      'defines': ['NAPI_VERSION=8', 'NAPI_DISABLE_CPP_EXCEPTIONS'],
      # Loads on hosts whose glibc and libstdc++ are older than those of the build: scripts/package/needs.mjs checks it.
      'cflags_cc': ['-fno-exceptions', '-include', '<(module_root_dir)/src/addon/old_glibc.h'],
      'ldflags': ['-s'],
    },
    {
      'target_name': 'proc_box',
      'type': 'executable',
      'sources': [
        'src/front/agent.cc', 'src/front/alone.cc', 'src/front/answer.cc', 'src/front/box_events.cc', 'src/front/detach.cc', 'src/front/directed.cc', 'src/front/directed_timers.cc', 'src/front/front.cc', 'src/front/front_end.cc', 'src/front/node.cc', 'src/front/node_channel.cc', 'src/front/options.cc', 'src/front/own_files.cc', 'src/front/say.cc', 'src/front/site_file.cc', 'src/front/stop_group.cc', 'src/front/terminal.cc', 'src/front/words.cc',
        'src/keeper/adopted.cc', 'src/keeper/adopted_wrapper.cc', 'src/keeper/adopted_output.cc', 'src/keeper/agent_link.cc', 'src/keeper/box.cc', 'src/keeper/caller.cc', 'src/keeper/cgroup.cc', 'src/keeper/cleanup_log.cc', 'src/keeper/deadline.cc', 'src/keeper/group_files.cc', 'src/keeper/guard.cc', 'src/keeper/held_time.cc', 'src/keeper/job.cc', 'src/keeper/job_box.cc', 'src/keeper/keeper.cc', 'src/keeper/ladder.cc', 'src/keeper/made_groups.cc', 'src/keeper/named_files.cc', 'src/keeper/output.cc', 'src/keeper/processes.cc', 'src/keeper/relay.cc', 'src/keeper/sampling.cc', 'src/keeper/shown_process.cc', 'src/keeper/start.cc', 'src/keeper/stdout_count.cc', 'src/keeper/stopped.cc', 'src/keeper/survivors.cc', 'src/keeper/usage.cc',
        'src/proc/clock.cc', 'src/proc/device.cc', 'src/proc/disposition.cc', 'src/proc/exit_status.cc', 'src/proc/footprint.cc', 'src/proc/freezer.cc', 'src/proc/kill_group.cc', 'src/proc/masked_uri.cc', 'src/proc/members.cc', 'src/proc/outlet.cc', 'src/proc/printable.cc', 'src/proc/process.cc', 'src/proc/remove_groups.cc', 'src/proc/rlimit.cc', 'src/proc/run_delay.cc', 'src/proc/sample.cc', 'src/proc/stat.cc', 'src/proc/text_file.cc', 'src/proc/tree.cc', 'src/proc/unix_socket.cc', 'src/proc/write_watch.cc', 'src/proc/written.cc',
        'src/wire/frames.cc', 'src/wire/keeper_connection.cc', 'src/wire/wrapper_connection.cc',
      ],
      'defines': ['NODE_FLAGS="<(node_flags)"'],
      # Nothing unwinds the stack, and a keeper's resident memory is mostly its text.
      'cflags_cc': ['-fno-exceptions', '-fno-rtti', '-fno-asynchronous-unwind-tables', '-fno-unwind-tables', '-Os', '-fno-pie', '-ffunction-sections', '-fdata-sections', '-U_FORTIFY_SOURCE'],
      'cflags': ['-fno-pie'],
      'ldflags': ['<(static_flag)', '-no-pie', '-Wl,--gc-sections', '-s'],
      'libraries!': ['-rdynamic'],
      'ldflags!': ['-rdynamic', '-pthread'],
    },
  ],
}
