import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Broker, BrokerMessage, Delivery, Settlement } from '@micro/core/broker'
import { type NatsBrokerOptions, natsBroker } from '@micro/plugin-broker-nats'
import { type Nats, natsBinary, startNats } from '@micro/test-services'
import { afterAll, afterEach, beforeAll } from 'vitest'

export const hasNats: boolean = natsBinary() !== undefined

export interface Place {
  readonly nats: Nats
  open(options?: NatsBrokerOptions): Broker
  /** A process of its own that runs a script of this folder. Resolves with its first line. */
  run(script: string, ...args: string[]): Promise<{ child: ChildProcess; line: string }>
  defer(work: () => unknown): void
}

let scopes = 0

/** A NATS server for the tests of a file. What a test opened is closed when it ends, the last first. */
export function usePlace(config = ''): Place {
  let nats: Nats | undefined
  const deferred: (() => unknown)[] = []
  const running = (): Nats => {
    if (nats === undefined) throw new Error('NATS has not been started')
    return nats
  }
  beforeAll(async () => {
    nats = await startNats(natsBinary() ?? '', { config })
  })
  afterAll(() => nats?.stop())
  afterEach(async () => {
    for (const work of deferred.splice(0).reverse()) await work()
  })
  return {
    get nats() {
      return running()
    },
    open(options = {}) {
      const where = options.connection === undefined ? { servers: running().url } : {}
      const broker = natsBroker({ ...where, timeout: 2_000, ackWait: 600, lanes: 4, ...options })
      deferred.push(() => broker.close())
      return broker
    },
    async run(script, ...rest) {
      const child = spawn(process.execPath, [join(import.meta.dirname, script), ...rest], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      deferred.push(() => child.kill('SIGKILL'))
      for await (const line of createInterface({ input: child.stdout })) return { child, line }
      throw new Error(`${script} said nothing`)
    },
    defer(work) {
      deferred.push(work)
    },
  }
}

export function newScope(): string {
  scopes += 1
  return `s${process.pid}-${scopes}`
}

export function message(text: string, key?: string): BrokerMessage {
  return {
    body: new TextEncoder().encode(text),
    headers: {},
    ...(key === undefined ? {} : { key }),
  }
}

export function textOf({ body }: Delivery): string {
  return new TextDecoder().decode(body)
}

/** A handler that keeps what it gets. */
export function collector(settle: (delivery: Delivery) => Settlement | Promise<Settlement>) {
  const deliveries: Delivery[] = []
  const waiting = new Set<() => void>()
  return {
    deliveries,
    texts: () => deliveries.map(textOf),
    async deliver(_lane: string, batch: readonly Delivery[]): Promise<Settlement[]> {
      const settlements: Settlement[] = []
      for (const delivery of batch) {
        deliveries.push(delivery)
        for (const look of waiting) look()
        settlements.push(await settle(delivery))
      }
      return settlements
    },
    until: (isEnough: (all: readonly Delivery[]) => boolean) =>
      new Promise<void>((resolve) => {
        const look = (): void => {
          if (!isEnough(deliveries)) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
  }
}
