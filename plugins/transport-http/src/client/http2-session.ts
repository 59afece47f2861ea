import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import { unrefTimer } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { Settings } from '../options.ts'

/** Milliseconds between pings while streams are open. */
const pingInterval = 20_000

/** One HTTP/2 connection to a node, dialled when needed and again after it has ended. */
export interface SessionHolder {
  /** A session that takes new streams. Rejects as the connection does. */
  open(): Promise<ClientHttp2Session>
  /** `performance.now()` of the last answered ping of the current session. */
  readonly lastPing: number
  /** No new streams; resolves when the running ones have ended. */
  drain(): Promise<void>
  close(): Promise<void>
}

export function createSessionHolder(origin: string, settings: Settings): SessionHolder {
  let opening: Promise<ClientHttp2Session> | undefined
  let current: ClientHttp2Session | undefined
  let lastPing = 0
  const all = new Set<ClientHttp2Session>()

  const dial = (): Promise<ClientHttp2Session> =>
    new Promise<ClientHttp2Session>((resolve, reject) => {
      const material = settings.tls?.current() ?? {}
      const session = connect(origin, {
        ...material,
        maxSessionMemory: 64,
        settings: {
          enablePush: false,
          initialWindowSize: 1 << 20,
          maxHeaderListSize: settings.maxHeaderSize,
        },
      })
      all.add(session)
      const timer = setTimeout(() => {
        session.destroy(
          new MicroError(
            'unavailable',
            `no connection to ${origin} within ${settings.connectTimeout} ms (connectTimeout)`,
            { processed: 'no' },
          ),
        )
      }, settings.connectTimeout)
      const forget = (): void => {
        if (current === session) {
          current = undefined
          opening = undefined
        }
      }
      session.once('connect', () => {
        clearTimeout(timer)
        current = session
        // An idle session must not keep the process; streams hold it while they run.
        session.unref()
        resolve(session)
      })
      session.on('error', (error) => {
        clearTimeout(timer)
        forget()
        reject(error)
      })
      session.on('goaway', forget)
      session.on('close', () => {
        clearTimeout(timer)
        clearInterval(pinging)
        all.delete(session)
        forget()
        reject(
          new MicroError('unavailable', `${origin} closed the connection`, { processed: 'no' }),
        )
      })
      const pinging = unrefTimer(setInterval(() => ping(session), pingInterval))
    })
  const ping = (session: ClientHttp2Session): void => {
    if (session.destroyed || session.closed) return
    session.ping((error) => {
      if (error === null) lastPing = performance.now()
    })
  }

  return {
    get lastPing() {
      return lastPing
    },
    async open() {
      if (current !== undefined && !current.closed && !current.destroyed) return current
      if (opening === undefined) {
        opening = dial()
        opening.catch(() => {
          opening = undefined
        })
      }
      return opening
    },
    async drain() {
      opening = undefined
      current = undefined
      await Promise.all(
        // `close` calls back for the first who asks only.
        [...all].map(async (session) => {
          const closed = new Promise<void>((resolve) => session.once('close', resolve))
          session.close()
          await closed
        }),
      )
    },
    async close() {
      opening = undefined
      current = undefined
      for (const session of all) session.destroy()
    },
  }
}

const streams = new WeakMap<ClientHttp2Session, number>()

/** Keeps the process alive while `stream` runs; an idle session does not. */
export function holdSession(session: ClientHttp2Session, stream: ClientHttp2Stream): void {
  streams.set(session, (streams.get(session) ?? 0) + 1)
  session.ref()
  stream.on('close', () => {
    const left = (streams.get(session) ?? 1) - 1
    streams.set(session, left)
    if (left === 0 && !session.destroyed) session.unref()
  })
}
