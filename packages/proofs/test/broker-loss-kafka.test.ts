import { kafkaHome } from '@micro/test-services'
import { describe, expect, test } from 'vitest'
import { runKafkaLoss } from '../src/kafka-loss.ts'

const scale = Number(process.env['MICRO_SCALE'] ?? '0.006')
const home = kafkaHome()

describe.skipIf(home === undefined)('a real Kafka', () => {
  test('loses no message, and keeps the order of keys, while consumers and brokers come and go', async () => {
    const result = await runKafkaLoss(home ?? '', './kafka-loss-broker.ts', scale)
    console.log('kafka:', { ...result, missing: result.missing.length })
    expect(result.missing).toEqual([])
    expect(result.disordered).toEqual([])
    expect(result.killed + result.left).toBeGreaterThan(3)
  }, 1_800_000)
})
