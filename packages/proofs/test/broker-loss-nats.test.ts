import { join } from 'node:path'
import { natsBinary, startNats } from '@micro/test-services'
import { describe, expect, test } from 'vitest'
import { runBrokerLoss } from '../src/broker-loss.ts'

const scale = Number(process.env['MICRO_SCALE'] ?? '0.006')
const binary = natsBinary()

describe.skipIf(binary === undefined)('a real NATS', () => {
  test('loses no message, and keeps the order of keys, while consumers and the server come and go', async () => {
    const nats = await startNats(binary ?? '')
    try {
      const result = await runBrokerLoss({
        module: join(import.meta.dirname, '../src/nats-loss-broker.ts'),
        settings: nats.url,
        topic: 'loss',
        messages: Math.round(1_000_000 * scale),
        seed: 7,
        steps: Math.max(9, Math.round(60 * scale)),
        restart: () => nats.restart(),
      })
      console.log('nats:', { ...result, missing: result.missing.length })
      expect(result.missing).toEqual([])
      expect(result.disordered).toEqual([])
      expect(result.killed + result.left).toBeGreaterThan(3)
    } finally {
      await nats.stop()
    }
  }, 1_800_000)
})
