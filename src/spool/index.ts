/** Entry of the bundle that is loaded when something has to be kept on disk, or is found there. */
export { add, type Delivered, type Delivery, deliverFolder, NOTHING } from './deliver.js';
export { type Contents, examine, openSpooled, statOf } from './file.js';
export { BAD, boxOf, type Folder, openFolder, SPOOLED, spoolOwners } from './folder.js';
export { Journal, type JournalOptions } from './journal.js';
export type { MessageRecord } from './record.js';
