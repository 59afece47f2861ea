import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Watcher } from '@micro/core/component'
import type { Store, StoreEvent } from '@micro/core/store'
import { type EtcdStoreOptions, etcdStore } from '@micro/plugin-store-etcd'
import { afterEach } from 'vitest'

/** Full length of outages at 1. */
export const scale = Number(process.env['MICRO_SCALE'] ?? '0.01')

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Runs after the test, the last one first. */
export function afterwards(work: () => unknown): void {
  closing.push(work)
}

/** Closed after the test. */
export function open(options: EtcdStoreOptions): Store {
  const store = etcdStore({ timeout: 500, ...options })
  afterwards(() => store.close())
  return store
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (value: Uint8Array | undefined): string => new TextDecoder().decode(value)

export function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

export async function watched(store: Store, prefix = ''): Promise<Watcher<StoreEvent>> {
  const watcher = await store.watch?.(prefix)
  if (watcher === undefined) throw new Error('there is no watch')
  afterwards(() => watcher[Symbol.asyncDispose]())
  return watcher
}

/** What the next events say, in short: `put a=1`, `delete a`, `reset`. */
export async function told(watcher: Watcher<StoreEvent>, count: number): Promise<string[]> {
  const events: string[] = []
  while (events.length < count) {
    const { value: event, done } = await watcher.next()
    if (done === true) throw new Error('the watch has ended')
    if (event.type === 'put') events.push(`put ${event.record.key}=${text(event.record.value)}`)
    else events.push(event.type === 'delete' ? `delete ${event.key}` : 'reset')
  }
  return events
}

/** A way to a server that can be cut: connections end, and no new ones come about. */
export async function startCut(address: string): Promise<{
  readonly address: string
  cut(): void
  mend(): void
  /** The next answer gets lost, and the connection with it; others come about at once. */
  cutAtAnswer(): void
}> {
  const sockets = new Set<Socket>()
  let isCut = false
  let cutsAnswer = false
  const server = createServer((inbound) => {
    if (isCut) return void inbound.destroy()
    const outbound = connect(Number(new URL(address).port), '127.0.0.1')
    for (const socket of [inbound, outbound]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        inbound.destroy()
        outbound.destroy()
      })
    }
    inbound.pipe(outbound)
    outbound.on('data', (chunk) => {
      // Smaller is what HTTP/2 says for itself: windows, pings, settings.
      if (!cutsAnswer || chunk.length < 40) return void inbound.write(chunk)
      cutsAnswer = false
      inbound.destroy()
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const cut = (): void => {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }
  afterwards(() => {
    cut()
    server.close()
  })
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    mend() {
      isCut = false
    },
    cutAtAnswer() {
      cutsAnswer = true
    },
  }
}
