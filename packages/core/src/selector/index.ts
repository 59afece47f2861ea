export { randomSelector } from './random-selector.ts'
export type { Outcome, Pick, Picker, Selector, SelectorSupports } from './selector.ts'
