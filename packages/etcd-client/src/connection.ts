import { type AbortOptions, abortable, jitter, sleep } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import { type EtcdCallOptions, type EtcdClient, openClient } from './client.ts'
import { fromEtcd, isElecting, isStaleToken } from './errors.ts'
import { requireLeader, withToken } from './interceptors.ts'
import { type Authenticate, createLogin } from './login.ts'
import type { EtcdSettings } from './options.ts'

export interface RequestOptions extends AbortOptions {
  /**
   * Whether it does no harm if etcd does it twice: then it is sent again, to the next host, although
   * the first may have done it. @default false
   */
  readonly repeatable?: boolean
  /** Milliseconds for each host. @default that of the options */
  readonly timeout?: number
}

/** One way to etcd, for all that a component does there. */
export interface EtcdConnection {
  /**
   * Does `work` with a client of the host that answered last, or of the next. Each attempt has a
   * deadline; an abort ends the wait, not what has been sent. While the members elect a leader, and do
   * nothing else, it waits for as long as one host is given.
   *
   * @throws as `fromEtcd` says; `failed_precondition` once it is closed.
   */
  request<T>(
    work: (client: EtcdClient, options: EtcdCallOptions) => Promise<T>,
    options?: RequestOptions,
  ): Promise<T>
  /** What a stream from `host` failed with; where the host is to blame, the next one is used then. */
  failure(cause: unknown, host: string): MicroError
  /** The host in use. */
  readonly host: string
  /** What the latest request failed with, if etcd is to blame and not the request. For `health`. */
  readonly problem: MicroError | undefined
  /** Milliseconds that one host is given to answer. */
  readonly timeout: number
  /** Ends all requests and closes the clients that were opened here. */
  close(): void
}

interface Endpoint {
  readonly host: string
  client(): EtcdClient
  /** Where a user is given. */
  readonly authenticate: Authenticate | undefined
  close(): void
}

/** Milliseconds, more or less a fifth, between two questions to members that elect a leader. */
const electionWait = 100

/** Opens nothing before the first request. `label` is for errors: `registry "etcd"`. */
export function createConnection(settings: EtcdSettings, label: string): EtcdConnection {
  const endpoints = endpointsOf(settings)
  const closing = new AbortController()
  const login = createLogin()
  let at = 0
  let problem: MicroError | undefined

  const current = (): Endpoint => endpoints[at % endpoints.length] as Endpoint
  const failure = (cause: unknown, host: string, timeout: number): MicroError => {
    const error = fromEtcd(cause, host, timeout)
    if (error.code === 'unavailable' && current().host === host) at = (at + 1) % endpoints.length
    return error
  }
  const once = async <T>(
    { client, authenticate }: Endpoint,
    work: (client: EtcdClient, options: EtcdCallOptions) => Promise<T>,
    timeout: number,
  ): Promise<T> => {
    const options = { deadline: Date.now() + timeout, interceptors: [requireLeader] }
    if (authenticate === undefined) return await work(client(), options)
    const token = await login.token(authenticate, options)
    closing.signal.throwIfAborted()
    const interceptors = [requireLeader, withToken(token, () => login.refused(token))]
    return await work(client(), { deadline: Date.now() + timeout, interceptors })
  }

  return {
    get host() {
      return current().host
    },
    get problem() {
      return problem
    },
    timeout: settings.timeout,
    failure: (cause, host) => failure(cause, host, settings.timeout),
    async request(work, { signal, repeatable = false, timeout = settings.timeout } = {}) {
      const ends = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal])
      const patience = performance.now() + timeout
      for (let attempt = 1; ; attempt++) {
        ends.throwIfAborted()
        const endpoint = current()
        try {
          const answer = await abortable(once(endpoint, work, timeout), ends)
          problem = undefined
          return answer
        } catch (cause) {
          ends.throwIfAborted()
          const error = failure(cause, endpoint.host, timeout)
          if (error.code === 'unavailable' || error.code === 'unauthenticated') problem = error
          const mayRepeat = isStaleToken(error)
            ? attempt === 1
            : error.code === 'unavailable' && (repeatable || error.processed === 'no')
          if (!mayRepeat) throw error
          // Once for each host, and once more for a login.
          if (attempt <= endpoints.length) continue
          if (!isElecting(error) || performance.now() >= patience) throw error
          await sleep(jitter(electionWait), { signal: ends, keepAlive: true })
          attempt = 0
        }
      }
    },
    close() {
      if (closing.signal.aborted) return
      closing.abort(new MicroError('failed_precondition', `${label} is closed`))
      for (const endpoint of endpoints) endpoint.close()
    },
  }
}

function endpointsOf(settings: EtcdSettings): readonly Endpoint[] {
  const { client, hosts, user, password } = settings
  if (client !== undefined) {
    const host = 'the client given'
    return [{ host, client: () => client, authenticate: undefined, close: () => undefined }]
  }
  return hosts.map((host) => {
    let opened: ReturnType<typeof openClient> | undefined
    const client = (): ReturnType<typeof openClient> => {
      opened ??= openClient(settings, host)
      return opened
    }
    return {
      host,
      client,
      authenticate:
        user === undefined || password === undefined
          ? undefined
          : async (options) =>
              (await client().auth.authenticate({ name: user, password }, options)).token,
      close() {
        opened?.close()
        opened = undefined
      },
    }
  })
}
