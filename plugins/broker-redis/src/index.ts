/**
 * Publish and subscribe over Redis Streams: groups, redelivery, order by key.
 *
 * ```ts
 * import { redisBroker } from '@micro/plugin-broker-redis'
 *
 * const broker = redisBroker({ url: 'redis://redis:6379', namespace: 'shop' })
 * ```
 *
 * @packageDocumentation
 */
export type { RedisClient } from './client.ts'
export type { RedisBrokerOptions, RedisTls } from './options.ts'
export { redisBroker } from './redis-broker.ts'
