/** What no table says: the text of the manual pages between their lists. */

export const PRECEDENCE =
  'Options end at the first word that is not one, or after --; everything after that belongs to the job. One dash is as good as two, and ' +
  '"--name value" as good as "--name=value". A flag without a value is on, and "=false" turns it off. An option takes its value from the ' +
  'command line, otherwise from its variable, otherwise from the configuration file, otherwise it has its default. A value that does not ' +
  'parse is an error wherever it stands: proc_box names its source and exits with 125, and the job does not start.';

export const VALUES = [
  [
    'Durations',
    'Numbers with a unit: ns, us, ms, s, m or h, such as 100ms, 1.5h or 1h30m. A number without a unit is refused, except 0. The time limit ' +
      'can also be unlimited.',
  ],
  [
    'Sizes',
    'Bytes, or a number with K, M, G, T or P, which are powers of 1024 whichever way they are spelt: 512M, 4GiB, 1.5G.',
  ],
  ['Signals', 'Names or numbers as in kill: TERM, SIGTERM, 15, RTMIN+1.'],
  [
    'URIs',
    'amqp://user:password@host:port/vhost, or amqps:// for TLS. Several URIs are separated by commas, and the box fails over from one to ' +
      'the next. Characters that a URI cannot hold are written as %2F (/), %40 (@) and %25 (%). A URI on the command line is visible in ps ' +
      'until proc_box has read it; a file for --uri-file never is.',
  ],
] as const;

export const EXIT_STATUS_ROWS = [
  ['0 to 255', "The job's own status, where it ended by itself."],
  ['128 + n', 'Signal n ended the job.'],
  ['123', 'An adopted process has ended, and the kernel did not tell how.'],
  ['124', 'The wall clock limit ended the job.'],
  ['125', 'proc_box itself failed, or an option is wrong; nothing was started.'],
  ['126', 'The command cannot be executed.'],
  ['127', 'The command was not found.'],
] as const;

export const OVERVIEW = {
  main:
    'proc_box runs a command in a box. The box limits memory, CPUs, processes, time and output of everything that the command starts, and ' +
    'leaves no process behind when the command ends. It publishes what the job uses, and takes commands for it, over AMQP. The job never ' +
    'waits for any of that. Its input, output, environment and exit status are its own, with or without a broker.',
  examples: [
    'proc_box --timeout 2h -- ./app input.dat',
    'proc_box --memory 4G --cpus 2 --pids 500 -- ./app',
    'proc_box --uri none --report -- make -j8',
    'srun proc_box --timeout 2h -- ./app',
    'proc_box adopt --pid 4711 --memory 4G',
    'proc_box ctl --job 1234 set_limit timeout +30m',
    'proc_box check',
  ],
  config: [
    'The file has the options of proc_box for all boxes of a host. It is /etc/proc_box/config.yaml, unless --config or PBOX_CONFIG names ' +
      'another one. It is YAML 1.2 and has at most 1 MiB.',
    'Its keys are the names of the options, without dashes. The command line and the PBOX_ variables are stronger. An empty value counts as ' +
      'not set. An unknown key, or a value that does not parse, is an error that names the file and the line, and no job starts.',
    'A file of plain lines of the form "key: value" costs nothing at the start of a job. Lists, maps and other YAML take about 12 ms.',
  ],
  locks:
    'The key "locked" names options that nobody else can set, separated by commas or as a list. It counts only in ' +
    '/etc/proc_box/config.yaml. Each locked option has the value of this file, or its default. If a flag, a variable or another file sets ' +
    'it to something else, proc_box exits with 125 before the job starts.',
  configExample: [
    'uri: [amqps://boxes:secret@mq1/hpc, amqps://boxes:secret@mq2/hpc]',
    'sint: 30s',
    'rlimit:',
    '  nofile: 1024:4096',
    '  core: 0',
    'json: {cluster: hpc}',
    'locked: control-auth, uri',
  ],
  overview: [
    'A box is one job under control. proc_box makes a box around a command that it starts, or around a process that already runs. It needs ' +
      'no privileges, and works alone, under Slurm, and under PBS.',
    'Two small native processes belong to each box. The front end is the process that the scheduler knows: it waits, and ends with the status ' +
      'of the job. The keeper is the parent of the job, and ends everything that the job has started, however the front end has ended. What ' +
      'is to be done is decided in Node: by a process for this box alone, or by the agent of the host for the boxes of all users.',
  ],
  chapters: [
    [
      'LIMITS',
      [
        'Each limit is held by the strongest means that the host and the user allow: control groups v2 or v1, resource limits, or sampling. ' +
          'The first line on stderr says which. With --enforce strict a job does not start unless the kernel holds its limits. Outside a ' +
          'scheduler, a job has 10 minutes unless --timeout says otherwise.',
      ],
    ],
    [
      'MESSAGES',
      [
        'Samples and events are JSON objects, published to a topic exchange, by default amq.topic. The routing keys are ' +
          'proc_box.stats.HOST and proc_box.events.HOST. While the broker is away, messages wait in memory, and on disk with --spool-dir. What ' +
          'is dropped is counted, and the count is published.',
        'Commands reach boxes by the key proc_box.remote_control, which all boxes have, and by the same key followed by .host.HOST, .job.JOB, ' +
          '.user.USER or .box.BOX.',
      ],
    ],
    [
      'AGENT',
      [
        'An agent serves all boxes of a host: one process and two connections to the broker, instead of one of each for every box. It is a ' +
          'service of an ordinary user. It starts no program, and its end ends no job. proc_box finds it by its socket.',
      ],
    ],
  ] as const,
  qsub: [
    'Submits a job that runs in a box. The options of proc_box come first, and proc_box --help lists them; qsub gets everything else, and what it ' +
      'prints and its exit status are the result. The script, its directives, its standard input and the environment of the job stay as they are.',
    'A login shell of the job, or the one that -S names, is started in the box. The options are kept in a small file below ' +
      '~/.proc_box/shells, which the node must see.',
  ],
  commands: 'These are the commands that a box takes, as messages or with the verb ctl:',
  documents:
    'The documents in /usr/share/doc/proc-box/docs, or in the folder docs of the tarball, describe everything: options.md, limits.md, ' +
    'messages.md, operations.md, agent.md, slurm.md, pbs.md, broker.md, security.md, exit-status.md and install.md.',
};
