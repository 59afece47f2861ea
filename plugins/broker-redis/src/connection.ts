import { createHash } from 'node:crypto'
import { sleep, unrefTimer } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { RedisClient } from './client.ts'
import { fromRedis, isUnknownScript } from './errors.ts'
import { type Commands, createTransactor } from './transactor.ts'

export interface Script {
  readonly source: string
  readonly sha: string
}

export function makeScript(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}

interface RunOptions {
  /** Milliseconds in which Redis must have answered, outages included. */
  readonly within: number
  /** Ends the attempts. */
  readonly signal?: AbortSignal | undefined
  /** Whether it is asked again where the answer was lost. @default true */
  readonly retry?: boolean
}

/** A client that is looked after: outages are waited for, and silence is taken for one. */
export interface Connection {
  readonly client: RedisClient
  readonly problem: MicroError | undefined
  readonly isReady: boolean
  start(): void
  /** Calls back each time that it is ready, also again. */
  onReady(listener: () => void): void
  /** @throws `unavailable`, or what Redis refuses it with. */
  whenReady(options: RunOptions): Promise<void>
  run(script: Script, keys: readonly string[], args: Argument[], o: RunOptions): Promise<unknown>
  /** One command on a ready client. */
  call(command: string, args: Argument[]): Promise<unknown>
  /** Commands of one transaction on a ready client; answers or errors of each. Not asked again. */
  transact(topic: string, commands: Commands): Promise<unknown[]>
  close(): void
}

export type Argument = string | number | Buffer

/** Between two attempts while Redis answers, but says that it cannot serve. */
const retryPause = 100

export function createConnection(
  client: RedisClient,
  options: { readonly timeout: number; readonly owned: boolean },
): Connection {
  const waiting = new Set<() => void>()
  const closed = new AbortController()
  const readyListeners: (() => void)[] = []
  let problem: MicroError | undefined
  let watchdog: ReturnType<typeof setInterval> | undefined
  let underWay = 0
  /** When the oldest command that has no answer yet was sent, or an answer last came. */
  let quietSince = 0

  const onReady = (): void => {
    problem = undefined
    quietSince = performance.now()
    for (const wake of [...waiting]) wake()
    for (const listener of readyListeners) listener()
  }
  const onError = (error: unknown): void => {
    problem = fromRedis(error)
    // A password that is wrong does not become right by waiting.
    if (isFinal(problem)) for (const wake of [...waiting]) wake()
  }
  const onClose = (): void => {
    problem ??= new MicroError('unavailable', 'Redis has closed the connection')
  }
  /** Connections that are open and silent look alive for minutes; commands would wait as long. */
  const watch = (): void => {
    const isSilent = underWay > 0 && performance.now() - quietSince > options.timeout
    if (!isSilent || client.status !== 'ready') return
    problem = new MicroError('unavailable', `Redis has not answered for ${options.timeout} ms`)
    quietSince = performance.now()
    client.disconnect(true)
  }

  const watched = async <T>(send: () => Promise<T>): Promise<T> => {
    if (underWay === 0) quietSince = performance.now()
    underWay += 1
    try {
      return await send()
    } finally {
      underWay -= 1
      quietSince = performance.now()
    }
  }
  const call = (command: string, args: Argument[]): Promise<unknown> =>
    watched(() => client.callBuffer(command, args))
  const evaluate = async (script: Script, rest: Argument[]): Promise<unknown> => {
    try {
      return await call('EVALSHA', [script.sha, ...rest])
    } catch (error) {
      if (!isUnknownScript(error)) throw error
      return await call('EVAL', [script.source, ...rest])
    }
  }
  const closedError = (): MicroError =>
    new MicroError('failed_precondition', 'broker "redis" is closed')

  const whenReady = async ({ within, signal }: RunOptions): Promise<void> => {
    const deadline = performance.now() + within
    while (client.status !== 'ready') {
      signal?.throwIfAborted()
      if (closed.signal.aborted) throw closedError()
      if (problem !== undefined && isFinal(problem)) throw problem
      const left = deadline - performance.now()
      if (left <= 0) {
        throw problem ?? new MicroError('unavailable', 'Redis cannot be reached in time')
      }
      await wokenWithin(left, signal)
    }
  }
  const wokenWithin = (left: number, signal: AbortSignal | undefined): Promise<void> =>
    new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        waiting.delete(wake)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const timer = setTimeout(wake, left)
      waiting.add(wake)
      signal?.addEventListener('abort', wake, { once: true })
    })

  return {
    client,
    get problem() {
      return client.status === 'ready' ? undefined : problem
    },
    get isReady() {
      return client.status === 'ready'
    },
    call,
    transact: createTransactor(client, watched),
    whenReady,
    onReady(listener) {
      readyListeners.push(listener)
    },
    start() {
      client.on('ready', onReady)
      client.on('error', onError)
      client.on('close', onClose)
      watchdog = unrefTimer(setInterval(watch, Math.max(10, options.timeout / 4)))
      // A client that was given may be connected already.
      if (client.status === 'wait') client.connect().catch(onError)
    },
    async run(script, keys, args, runOptions) {
      const deadline = performance.now() + runOptions.within
      const rest = [keys.length, ...keys, ...args]
      for (;;) {
        if (client.status !== 'ready') {
          await whenReady({ ...runOptions, within: deadline - performance.now() })
        }
        try {
          return await evaluate(script, rest)
        } catch (error) {
          const translated = fromRedis(error)
          if (translated.code !== 'unavailable' || runOptions.retry === false) throw translated
          if (closed.signal.aborted) throw closedError()
          if (performance.now() >= deadline) throw translated
          runOptions.signal?.throwIfAborted()
          if (client.status === 'ready') await sleep(retryPause)
        }
      }
    },
    close() {
      closed.abort()
      clearInterval(watchdog)
      for (const wake of [...waiting]) wake()
      client.off('ready', onReady)
      client.off('close', onClose)
      // Errors may come even after the end, and without a listener they would end the process.
      if (options.owned) client.disconnect()
      else client.off('error', onError)
    },
  }
}

function isFinal(problem: MicroError): boolean {
  return problem.code === 'unauthenticated' || problem.code === 'permission_denied'
}
