import { optionRows } from '../../options/verb-help.js';
import { OWN } from './option-table.js';

/** The text of `proc_box collector --help`; at most 100 columns. */
export function collectorHelp(): string {
  return `usage: proc_box collector [options]

Keeps what boxes publish, and serves it: a page, an API, metrics for Prometheus, alerts. docs/observe.md says how to set
it up.

Options:
${optionRows(OWN)}The broker is set as for a box: by --uri, --uri-file, --exchange, --skey, --ekey, --rkey, --tls-ca and so on, their PBOX_*
variables, or the config file.

Exit status:
  0    it was told to end
  125  an option is wrong, or the store or the address cannot be used
`;
}
