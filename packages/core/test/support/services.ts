import {
  bidiStream,
  clientStream,
  createService,
  defineService,
  memoryNetwork,
  memoryTransport,
  type Service,
  type ServiceOptions,
  serverStream,
  unary,
} from '@micro/core'
import { memoryLogger } from '@micro/core/logger'
import { afterEach } from 'vitest'

export const Echo = defineService('echo', {
  say: unary<{ text: string }, { text: string }>({ idempotency: 'idempotent' }),
  once: unary<{ text: string }, { text: string }>(),
  count: serverStream<{ to: number }, number>(),
  sum: clientStream<number, number>(),
  chat: bidiStream<string, string>(),
})

const opened: AsyncDisposable[] = []

/** Stopped after the test, whatever becomes of it. */
function closing<T extends AsyncDisposable>(resource: T): T {
  opened.push(resource)
  return resource
}

afterEach(async () => {
  for (const resource of opened.splice(0).reverse()) await resource[Symbol.asyncDispose]()
})

/** A service that is quiet and leaves the process's signals alone. */
export function quietService(options: Partial<ServiceOptions> = {}): Service {
  return closing(
    createService({
      name: 'test',
      logger: memoryLogger(),
      shutdown: { signals: false },
      ...options,
    }),
  )
}

/** The same test over both ways in process: by reference, and through the codecs. */
export const copies = ['reference', 'codec'] as const

export function networkWith(copy: (typeof copies)[number]) {
  const network = memoryNetwork()
  return { network, transports: [memoryTransport({ network, copy })] }
}

/** Keeps the process alive while only unref'd timers are pending. */
export async function awake<T>(work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 10_000)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}
