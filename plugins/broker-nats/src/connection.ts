import { backoff, sleep } from '@micro/core/component'
import { runInRoot } from '@micro/core/context'
import { MicroError } from '@micro/core/errors'
import { connect, errors, type Msg, type NatsConnection } from '@nats-io/transport-node'
import { connectOptions } from './connect-options.ts'
import { fromNats } from './errors.ts'
import type { Settings } from './options.ts'
import { createRequests, type RequestOptions, type Requests } from './requests.ts'

interface WaitOptions {
  /** Milliseconds in which NATS must have answered, outages included. */
  readonly within: number
  /** Ends the attempts. */
  readonly signal?: AbortSignal | undefined
}

/** A connection that is made again for ever. */
export interface Connection {
  /** Absent while there is none. */
  readonly current: NatsConnection | undefined
  readonly problem: MicroError | undefined
  /** How often it has been lost. */
  readonly outages: number
  start(): void
  /** Calls back each time that there is one, also again. Returns the removal. */
  onReady(listener: (nats: NatsConnection) => void): () => void
  /** @throws `unavailable`, or what NATS refuses it with. */
  whenReady(options: WaitOptions): Promise<NatsConnection>
  /** Waits for an answer. @throws as soon as the connection ends, since then it never comes. */
  whileUp<T>(work: Promise<T>): Promise<T>
  /** One request. @throws as soon as the connection ends. */
  request(subject: string, data: Uint8Array | string, options: RequestOptions): Promise<Msg>
  close(): Promise<void>
}

/** Somebody who waits for an answer, and where in the list of all. */
interface Waiter {
  readonly reject: (error: unknown) => void
  at: number
}

/** The longest wait between two attempts to connect for the first time. */
const longestWait = 2_000

/** An answer that takes longer has been lost: by a server that was just starting, for one. */
export const longestAnswer = 2_000

export function createConnection(settings: Settings): Connection {
  const given = settings.connection
  const closed = new AbortController()
  const waiting = new Set<() => void>()
  const listeners = new Set<(nats: NatsConnection) => void>()
  let underWay: Waiter[] = []
  let outages = 0
  let nats: NatsConnection | undefined
  let requests: Requests | undefined
  let isUp = false
  let problem: MicroError | undefined

  const up = (now: NatsConnection): void => {
    if (nats !== now) requests = createRequests(now)
    nats = now
    isUp = true
    problem = undefined
    for (const wake of [...waiting]) wake()
    for (const listener of [...listeners]) listener(now)
  }
  const down = (error: MicroError): void => {
    isUp = false
    problem = error
    outages += 1
    const all = underWay
    underWay = []
    for (const { reject } of all) reject(error)
    requests?.fail(error)
  }
  /** Follows one connection until it has ended for good. */
  const follow = async (now: NatsConnection): Promise<void> => {
    for await (const status of now.status()) {
      if (status.type === 'disconnect') {
        down(new MicroError('unavailable', 'the connection to NATS has ended'))
      } else if (status.type === 'reconnect') up(now)
      else if (status.type === 'error') {
        const error = fromNats(status.error)
        if (status.error instanceof errors.PermissionViolationError) {
          requests?.fail(error, status.error.subject)
        }
        if (!isUp) problem = error
        for (const wake of [...waiting]) wake()
      } else if (status.type === 'close') return
    }
  }
  const run = async (): Promise<void> => {
    for (let attempt = 0; !closed.signal.aborted; attempt++) {
      try {
        const now = given ?? (await connect(connectOptions(settings)))
        if (closed.signal.aborted) return await endOf(now)
        if (now.info !== undefined) up(now)
        attempt = 0
        await follow(now)
        down(fromNats((await now.closed()) ?? new Error('it has been closed')))
        // One that was given is its owner's to make anew.
        if (given !== undefined) return
      } catch (error) {
        problem = fromNats(error)
        if (isFinal(problem)) for (const wake of [...waiting]) wake()
      }
      const wait = backoff(attempt, { base: 50, max: longestWait })
      await sleep(wait, { signal: closed.signal }).catch(() => undefined)
    }
  }
  const endOf = async (now: NatsConnection): Promise<void> => {
    if (now !== given) await now.close()
  }

  const whileUp = <T>(work: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const list = underWay
      const waiter: Waiter = { reject, at: list.length }
      list.push(waiter)
      work.then(
        (value) => {
          drop(list, waiter)
          resolve(value)
        },
        (error: unknown) => {
          drop(list, waiter)
          reject(error)
        },
      )
    })

  return {
    get current() {
      return isUp ? nats : undefined
    },
    get problem() {
      return isUp ? undefined : problem
    },
    get outages() {
      return outages
    },
    start() {
      void runInRoot(run)
    },
    onReady(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async whenReady({ within, signal }) {
      const deadline = performance.now() + within
      for (;;) {
        signal?.throwIfAborted()
        if (closed.signal.aborted) {
          throw new MicroError('failed_precondition', 'broker "nats" is closed')
        }
        if (isUp && nats !== undefined) return nats
        if (problem !== undefined && isFinal(problem)) throw problem
        const left = deadline - performance.now()
        if (left <= 0) {
          throw problem ?? new MicroError('unavailable', 'NATS cannot be reached in time')
        }
        await wokenWithin(waiting, left, signal)
      }
    },
    whileUp,
    request(subject, data, { within, ...more }) {
      if (requests === undefined || !isUp) return Promise.reject(problem ?? noConnection())
      return requests.request(subject, data, { ...more, within: Math.min(within, longestAnswer) })
    },
    async close() {
      closed.abort()
      down(new MicroError('failed_precondition', 'broker "nats" is closed'))
      for (const wake of [...waiting]) wake()
      requests?.close()
      if (nats !== undefined) await endOf(nats)
    },
  }
}

/** In constant time, and without the garbage of a `Set` that many come to and leave. */
function drop(list: Waiter[], waiter: Waiter): void {
  const last = list.pop()
  if (last === undefined || last === waiter) return
  list[waiter.at] = last
  last.at = waiter.at
}

function noConnection(): MicroError {
  return new MicroError('unavailable', 'there is no connection to NATS')
}

function wokenWithin(
  waiting: Set<() => void>,
  milliseconds: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer)
      waiting.delete(wake)
      signal?.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, milliseconds)
    waiting.add(wake)
    signal?.addEventListener('abort', wake, { once: true })
  })
}

/** A password that is wrong does not become right by waiting. */
function isFinal(problem: MicroError): boolean {
  return problem.code === 'unauthenticated'
}
