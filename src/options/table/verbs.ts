/** Words that name no program when they come first; native/src/front/options.cc knows them too. */
export const VERBS = [
  'adopt',
  'agent',
  'check',
  'collector',
  'ctl',
  'list',
  'report',
  'spool',
  'top',
  'watch',
  'where',
] as const;
