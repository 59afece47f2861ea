export { consistentHashSelector } from './consistent-hash-selector.ts'
export type { ConsistentHashSelectorOptions } from './options.ts'
