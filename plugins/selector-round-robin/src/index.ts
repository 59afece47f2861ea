export type { RoundRobinSelectorOptions } from './options.ts'
export { roundRobinSelector } from './round-robin-selector.ts'
