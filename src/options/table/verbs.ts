/** Words that name no program when they come first; native/src/front/options.cc knows them too. */
export const VERBS = ['adopt', 'check', 'ctl', 'spool', 'where'] as const;
