# Parts of the scripts of proc-box that deb and rpm share; scripts/package/scriptlets.mjs puts them together.
lib=/usr/lib/proc_box

make_user() {
  make_system_user proc_box 'proc_box node agent'
}

make_collector_user() {
  make_system_user proc_box-collector 'proc_box collector'
}

make_system_user() {
  getent passwd "$1" >/dev/null && return 0
  if command -v systemd-sysusers >/dev/null && [ -e "/usr/lib/sysusers.d/$1.conf" ]; then
    systemd-sysusers "$1.conf"
  else
    useradd --system --user-group --no-create-home --home-dir "/var/lib/$1" --shell /usr/sbin/nologin --comment "$2" "$1"
  fi
}

remove_user() {
  if command -v userdel >/dev/null && getent passwd "$1" >/dev/null; then
    userdel "$1" || :
  fi
}

# It is not started if it was not running. Messages wait in the broker meanwhile.
restart_collector() {
  systemd_runs || return 0
  systemctl daemon-reload || :
  systemctl try-restart proc_box-collector.service || :
}

stop_collector() {
  if systemd_runs; then
    systemctl stop proc_box-collector.service || :
  fi
}

# The store goes with it. What the site wrote in /etc/proc_box stays, and is root's.
purge_collector() {
  rm -rf /var/lib/proc_box-collector /run/proc_box-collector
  rm -f /etc/systemd/system/multi-user.target.wants/proc_box-collector.service
  give_to_root proc_box-collector
  remove_user proc_box-collector
  reload_units
}

give_to_root() {
  if [ -d /etc/proc_box ]; then
    find /etc/proc_box -user "$1" -exec chown -h root:root {} + 2>/dev/null || :
  fi
}

remove_code_cache() {
  rm -f "$lib"/dist/*.cache "$lib"/dist/*.cache.*
}

# Without a cache each launch takes longer, and works.
renew_code_cache() {
  "$lib/renew-code-cache" "$@" </dev/null ||
    echo "proc-box: cannot create the code cache; launches take longer until root starts proc_box once" >&2
}

systemd_runs() {
  [ -d /run/systemd/system ]
}

reload_units() {
  if systemd_runs; then
    systemctl daemon-reload || :
  fi
}

# Boxes go on while the agent is restarted. It is not started if it was not running.
after_upgrade() {
  systemd_runs || return 0
  systemctl daemon-reload || :
  systemd-tmpfiles --create proc_box.conf || :
  systemctl try-restart proc_box-agent.service || :
}

refuse_if_needed() {
  [ "${PROC_BOX_REMOVE-}" != anyway ] || return 0
  needed=$("$lib/needed-by") && return 0
  {
    echo "proc-box: not removed, because it is in use:"
    echo "$needed" | sed 's/^/  /'
    echo "proc-box: to remove it anyway, set PROC_BOX_REMOVE=anyway in the environment"
  } >&2
  return 1
}

before_removal() {
  refuse_if_needed || exit 1
  if systemd_runs; then
    systemctl stop proc_box-agent.service proc_box-agent.socket || :
  fi
  remove_code_cache
}

# What the package or its programs have made. What the site wrote in /etc/proc_box stays, and is root's.
purge_proc_box() {
  remove_code_cache
  rm -rf /var/lib/proc_box /run/proc_box
  rm -f /etc/systemd/system/multi-user.target.wants/proc_box-agent.service \
    /etc/systemd/system/sockets.target.wants/proc_box-agent.socket
  give_to_root proc_box
  remove_user proc_box
  reload_units
}
