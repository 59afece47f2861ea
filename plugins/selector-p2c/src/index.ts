export type { P2cSelectorOptions } from './options.ts'
export { p2cSelector } from './p2c-selector.ts'
