import { join } from 'node:path'
import { redisBinary, startRedis } from '@micro/test-services'
import { describe, expect, test } from 'vitest'
import { runBrokerLoss } from '../src/broker-loss.ts'

const scale = Number(process.env['MICRO_SCALE'] ?? '0.006')
const binary = redisBinary()

describe.skipIf(binary === undefined)('a real Redis', () => {
  test('loses no message, and keeps the order of keys, while consumers and the server come and go', async () => {
    const redis = await startRedis(binary ?? '')
    try {
      const result = await runBrokerLoss({
        module: join(import.meta.dirname, '../src/redis-loss-broker.ts'),
        settings: redis.url,
        topic: 'loss',
        messages: Math.round(1_000_000 * scale),
        seed: 7,
        steps: Math.max(9, Math.round(60 * scale)),
        restart: () => redis.restart(),
      })
      console.log('redis:', { ...result, missing: result.missing.length })
      expect(result.missing).toEqual([])
      expect(result.disordered).toEqual([])
      expect(result.killed + result.left).toBeGreaterThan(3)
    } finally {
      await redis.stop()
    }
  }, 1_800_000)
})
