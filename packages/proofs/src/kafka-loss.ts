import { join } from 'node:path'
import { startKafka } from '@micro/test-services'
import { type BrokerLossResult, runBrokerLoss } from './broker-loss.ts'

/** Loses what can be lost of a real Kafka, whose servers are killed one after the other, each away for a while. */
export async function runKafkaLoss(
  home: string,
  module: string,
  scale: number,
): Promise<BrokerLossResult> {
  const kafka = await startKafka(home, { nodes: scale >= 1 ? 3 : 1 })
  try {
    return await runBrokerLoss({
      module: join(import.meta.dirname, module),
      settings: kafka.brokers.join(','),
      topic: 'loss',
      messages: Math.round(1_000_000 * scale),
      seed: 7,
      steps: Math.max(9, Math.round(60 * scale)),
      async restart() {
        for (const node of kafka.nodes) {
          await node.kill()
          await node.restart()
        }
      },
    })
  } finally {
    await kafka.stop()
  }
}
