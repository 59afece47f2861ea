export { randomSelector } from './random-selector.ts'
export type { Outcome, Pick, Picker, Selector } from './selector.ts'
