import { connect, type Socket } from 'node:net'
import type { Broker, BrokerMessage, Delivery } from '@micro/core/broker'
import { type KafkaBrokerOptions, kafkaBroker } from '@micro/plugin-broker-kafka'

/** So that what takes seconds in production takes less here. */
export const quick: Omit<KafkaBrokerOptions, 'brokers'> = {
  heartbeatInterval: 50,
  maxWait: 20,
  commitInterval: 20,
  sessionTimeout: 1_500,
  timeout: 20_000,
  requestTimeout: 3_000,
}

/** A broker whose connections a test can cut for good, as a crash of its process would. */
export function mortalBroker(options: KafkaBrokerOptions): {
  readonly broker: Broker
  readonly crash: () => void
  /** Cuts it off until further notice. */
  readonly cut: (off: boolean) => void
} {
  const sockets = new Set<Socket>()
  let crashed = false
  const broker = kafkaBroker({
    ...options,
    socketFactory({ host, port, onConnect }) {
      if (crashed) throw new Error('crashed')
      const socket = connect({ host, port }, onConnect)
      sockets.add(socket)
      return socket
    },
  })
  const cut = (off: boolean): void => {
    crashed = off
    if (off) for (const socket of sockets) socket.destroy(new Error('crashed'))
  }
  return { broker, cut, crash: () => cut(true) }
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
