export { randomSelector } from './random-selector.ts'
export type { Outcome, Pick, Picker, Selector, SelectorSupports } from './selector.ts'
export { type ZoneSelectorOptions, zoneSelector } from './zone-selector.ts'
