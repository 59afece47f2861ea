import type { Broker, BrokerMessage, Delivery } from '@micro/core/broker'
import { type KafkaProxy, startKafkaProxy } from './kafka-proxy.ts'
import type { Subject, SubjectOptions } from './subject.ts'

/** So that what takes seconds in production takes less here. */
export const quick: Omit<SubjectOptions, 'brokers'> = {
  heartbeatInterval: 50,
  maxWait: 20,
  commitInterval: 20,
  sessionTimeout: 1_500,
  timeout: 20_000,
  requestTimeout: 3_000,
}

/** A broker whose connections a test can cut, for good as a crash of its process would. */
export async function openMortal(
  { kafkaBroker }: Pick<Subject, 'kafkaBroker'>,
  brokers: readonly string[],
  options: Partial<SubjectOptions> = {},
): Promise<{ readonly broker: Broker; readonly proxy: KafkaProxy }> {
  const proxy = await startKafkaProxy(brokers)
  return { broker: kafkaBroker({ ...quick, ...options, brokers: proxy.brokers }), proxy }
}
/** Resolves once `condition` holds; for what nobody tells of. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10))
}

let names = 0

/** Of a topic that no other test uses. */
export function newName(prefix = 't'): string {
  names += 1
  return `${prefix}${names}-${Math.random().toString(36).slice(2, 8)}`
}

export function message(text: string, more: Partial<BrokerMessage> = {}): BrokerMessage {
  return { body: new TextEncoder().encode(text), headers: {}, ...more }
}

export function textOf({ body }: Pick<Delivery, 'body'>): string {
  return new TextDecoder().decode(body)
}

export function range(count: number): string[] {
  return Array.from({ length: count }, (_, at) => String(at))
}

/** Takes all, and keeps their texts. */
export function collector() {
  const texts: string[] = []
  const deliver = async (_lane: string, batch: readonly Delivery[]) => {
    texts.push(...batch.map(textOf))
    return batch.map(() => 'ack' as const)
  }
  return { texts, deliver }
}
