export { type Fixture, useServer } from './fixture.ts'
export { collector, message, newScope, textOf } from './messages.ts'
export { outageTests } from './outage-tests.ts'
export type { OpenOptions, Server, Subject } from './subject.ts'
