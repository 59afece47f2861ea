import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'

export interface BrokerLossOptions {
  /** Path of a module that exports `makeBroker(settings: string): Broker`; each worker process has its own. */
  readonly module: string
  /** What it is given: where the servers are. */
  readonly settings: string
  /** That nobody else uses; also the name of the group. */
  readonly topic: string
  readonly messages: number
  /** @default 50 */
  readonly keys?: number
  /** What happens to whom, and when. */
  readonly seed: number
  /** How often something happens, the two restarts included. @default 12 */
  readonly steps?: number
  /** Kills and restarts the servers; called twice. */
  readonly restart: () => Promise<unknown>
  /** Milliseconds without a message after which the rest counts as missing. @default 60000 */
  readonly patience?: number
}

export interface BrokerLossResult {
  /** Messages that were acknowledged to a producer and reached no consumer. */
  readonly missing: readonly number[]
  /** Keys of which a message was first seen after a later one. */
  readonly disordered: readonly number[]
  /** Deliveries beyond the first of each message. */
  readonly duplicates: number
  /** Consumers killed, and consumers that left in good order. */
  readonly killed: number
  readonly left: number
  readonly seconds: number
}

const producerCount = 3
const consumerCount = 5

/**
 * Publishes numbered messages by three processes to five in one group, while some of these are killed,
 * leave and join at random and the servers are restarted twice, and looks what became of each message.
 */
export async function runBrokerLoss(options: BrokerLossOptions): Promise<BrokerLossResult> {
  const { messages, keys = 50, steps = 12, patience = 60_000, seed } = options
  const random = seededRandom(seed)
  const started = performance.now()
  const seen = createSeen(messages)
  const all = new Set<ChildProcess>()
  const startWorker = (role: string): ChildProcess => {
    const script = join(import.meta.dirname, 'broker-loss-worker.ts')
    const args = [script, options.module, options.settings, options.topic, role, String(keys)]
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    all.add(child)
    // Written to by who has just been killed.
    child.stdin.on('error', () => undefined)
    return child
  }
  const startConsumer = (): { readonly child: ChildProcess; readonly ready: Promise<void> } => {
    const child = startWorker('consumer')
    const ready = Promise.withResolvers<void>()
    const lines = createInterface({ input: child.stdout ?? process.stdin })
    lines.on('line', (line) => (line === 'ready' ? ready.resolve() : seen.add(line)))
    child.once('exit', () => ready.resolve())
    return { child, ready: ready.promise }
  }
  let killed = 0
  let left = 0
  try {
    const consumers = Array.from({ length: consumerCount }, startConsumer)
    await Promise.all(consumers.map(({ ready }) => ready))
    const producers = Array.from({ length: producerCount }, (_, at) =>
      createProducer(startWorker(`producer ${at}/${producerCount}`)),
    )
    const replace = async (signal: NodeJS.Signals): Promise<void> => {
      const at = Math.floor(random() * consumerCount)
      const gone = consumers[at]?.child
      gone?.kill(signal)
      if (signal === 'SIGKILL') killed += 1
      else left += 1
      // One that leaves in good order may take a while; another comes at once all the same.
      consumers[at] = startConsumer()
      if (random() < 0.5) await consumers[at].ready
    }
    for (let step = 0; step < steps; step++) {
      const from = Math.floor((messages * step) / steps)
      const to = Math.floor((messages * (step + 1)) / steps)
      const sent = producers.map((producer) => producer.send(from, to))
      await wait(random() * 200)
      const isRestart = step === Math.floor(steps / 3) || step === Math.floor((steps * 2) / 3)
      if (isRestart) await options.restart()
      else await replace(random() < 0.6 ? 'SIGKILL' : 'SIGTERM')
      await Promise.all(sent)
    }
    while (seen.count < messages && performance.now() - seen.newestAt < patience) await wait(50)
    // What comes twice may come a little later.
    await wait(500)
  } finally {
    await Promise.all([...all].map(end))
  }
  const seconds = (performance.now() - started) / 1_000
  return { ...seen.judge(keys), killed, left, seconds }
}

function createProducer(child: ChildProcess): {
  send: (from: number, to: number) => Promise<void>
} {
  const lines = createInterface({ input: child.stdout ?? process.stdin })[Symbol.asyncIterator]()
  return {
    async send(from, to) {
      child.stdin?.write(`${from} ${to}\n`)
      const { done } = await lines.next()
      if (done === true) throw new Error('a producer has ended')
    },
  }
}

/** What consumers have told: the time at which they handled it, on the clock they share, and numbers. */
function createSeen(messages: number) {
  const firstAt = new Float64Array(messages)
  let deliveries = 0
  let count = 0
  let newestAt = performance.now()
  return {
    get count() {
      return count
    },
    get newestAt() {
      return newestAt
    },
    add(line: string) {
      const [at, ...numbers] = line.split(' ').map(Number)
      newestAt = performance.now()
      for (const [position, number] of numbers.entries()) {
        deliveries += 1
        const known = firstAt[number] ?? 0
        if (known === 0) count += 1
        // Those of one line were handled one after the other.
        const time = (at ?? 0) + position / 1e6
        if (known === 0 || time < known) firstAt[number] = time
      }
    },
    judge(keys: number) {
      const missing: number[] = []
      const disordered = new Set<number>()
      const newest = new Float64Array(keys)
      for (let number = 0; number < messages; number++) {
        const at = firstAt[number] ?? 0
        const key = number % keys
        if (at === 0) missing.push(number)
        else if (at < (newest[key] ?? 0)) disordered.add(key)
        else newest[key] = at
      }
      return { missing, disordered: [...disordered], duplicates: deliveries - count }
    },
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

/** The same numbers for the same seed: mulberry32, by Tommy Ettinger, in the public domain. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
