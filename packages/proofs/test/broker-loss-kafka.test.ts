import { join } from 'node:path'
import { kafkaHome, startKafka } from '@micro/test-services'
import { describe, expect, test } from 'vitest'
import { runBrokerLoss } from '../src/broker-loss.ts'

const scale = Number(process.env['MICRO_SCALE'] ?? '0.006')
const home = kafkaHome()

describe.skipIf(home === undefined)('a real Kafka', () => {
  test('loses no message, and keeps the order of keys, while consumers and brokers come and go', async () => {
    const kafka = await startKafka(home ?? '', { nodes: scale >= 1 ? 3 : 1 })
    try {
      const result = await runBrokerLoss({
        module: join(import.meta.dirname, '../src/kafka-loss-broker.ts'),
        settings: kafka.brokers.join(','),
        topic: 'loss',
        messages: Math.round(1_000_000 * scale),
        seed: 7,
        steps: Math.max(9, Math.round(60 * scale)),
        async restart() {
          // One after the other, each away for a while.
          for (const node of kafka.nodes) {
            await node.kill()
            await node.restart()
          }
        },
      })
      console.log('kafka:', { ...result, missing: result.missing.length })
      expect(result.missing).toEqual([])
      expect(result.disordered).toEqual([])
      expect(result.killed + result.left).toBeGreaterThan(3)
    } finally {
      await kafka.stop()
    }
  }, 1_800_000)
})
