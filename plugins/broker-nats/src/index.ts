/**
 * Publish and subscribe over NATS: JetStream for what must not be lost, core NATS for what may.
 *
 * ```ts
 * import { natsBroker } from '@micro/plugin-broker-nats'
 *
 * const broker = natsBroker({ servers: 'nats://nats:4222', namespace: 'shop' })
 * ```
 *
 * @packageDocumentation
 */
export { natsBroker } from './nats-broker.ts'
export type { NatsBrokerOptions, NatsTls, StreamDefaults } from './options.ts'
