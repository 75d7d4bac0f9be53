/** Entry point of the bundle that is loaded once messages have to be kept on disk, or are found there. */
export { deliverInTurn, toLog } from './deliver.js';
export { type Delivered, type DeliveryOptions, NOTHING } from './delivery.js';
export { type Contents, examine, FILE_MAX_BYTES, openSpooled, statOf } from './file.js';
export { BAD, boxOf, type Folder, openFolder, SPOOLED, spoolOwners } from './folder.js';
export { Journal, type JournalOptions } from './journal.js';
export type { MessageRecord } from './record.js';
export type { PublishChannel } from './sending.js';
