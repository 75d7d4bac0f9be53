/** Entry point of the bundle with a node's link to the broker, which many boxes share. */
export { createNodeLink } from './node-link.js';
export type { NodeLink, NodeLinkOptions, NodeStatus, Owner } from './node-options.js';
