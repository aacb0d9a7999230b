/** Files from servers: whole and checked, or not there. */
export { readBody } from './bounded-response.js'
export { digestOf, ensureDigest, type Digest } from './digest.js'
export { download, type Remote } from './download.js'
export type { Fetch, Network, Resource } from './network.js'
export { probe, type Probed } from './probe.js'
export { persistently, request, requestSuccess } from './request.js'
export { ensureTrusted, shownUrl } from './url.js'
