import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from './free-ports.ts'
import { type RunningServer, startServer } from './server-process.ts'

/**
 * The etcd to test with, or `undefined` where none is installed.
 *
 * @throws in CI, where one must be.
 */
export function etcdBinary(): string | undefined {
  try {
    execFileSync('etcd', ['--version'], { stdio: 'ignore' })
    return 'etcd'
  } catch {
    if (process.env['MICRO_REQUIRE_SERVERS'] !== '1') return undefined
    throw new Error('etcd is not installed: apt-get install etcd-server')
  }
}

export interface EtcdOptions {
  /** Serves clients over TLS, and asks them for certificates of `ca` if `clientCertificates`. */
  readonly tls?: {
    readonly ca: string
    readonly cert: string
    readonly key: string
    readonly clientCertificates?: boolean
  }
  /** More of the command line. */
  readonly args?: readonly string[]
}

/** A real etcd. It ends with this process at the latest. */
export interface Etcd {
  /** For clients: `http://127.0.0.1:49152`. */
  readonly address: string
  /** Of the process that runs now. */
  readonly pid: number
  /**
   * A request of etcd's JSON gateway: `kv/put` with fields in Base64. Resolves with the parsed body.
   *
   * @throws for any status but 200.
   */
  request(path: string, body: unknown): Promise<Record<string, unknown>>
  put(key: string, value: string): Promise<void>
  delete(key: string): Promise<void>
  /** The keys that begin with `prefix`, with their leases. */
  list(prefix: string): Promise<{ key: string; value: string; lease: string; revision: string }[]>
  /** Ends a lease as an operator does, and with it its keys. */
  revoke(lease: string): Promise<void>
  /** Forgets the history up to now. */
  compact(): Promise<void>
  /** Asks for the user and the password from now on, as root. Root may do all. */
  enableAuth(password: string): Promise<void>
  /** Makes all tokens void that users have been given, as time does. A restart alone keeps them. */
  voidTokens(): Promise<void>
  /** Requests that it has taken since it was started, by method: `Range`, `Txn`; a stream is one. */
  requests(): Promise<ReadonlyMap<string, number>>
  kill(): Promise<void>
  /** On the same address, with the same data. */
  restart(): Promise<void>
  /** On the same address, with no data at all. */
  restartEmpty(): Promise<void>
  /** Stops it where it is, as a machine that is suspended: connections stay, nothing is answered. */
  pause(): void
  resume(): void
  stop(): Promise<void>
}

/** What one etcd is started with; a cluster gives its own. */
export interface EtcdMember {
  readonly name: string
  readonly clientPort: number
  readonly healthPort: number
  readonly peerPort: number
  /** Where the others reach it, and all of them. */
  readonly advertisedPeer: string
  readonly initialCluster: string
  /** Milliseconds; how soon a leader is elected, and the shortest lease. */
  readonly electionTimeout: number
  /** Told of each process it becomes. */
  readonly onSpawn?: (pid: number) => void
}

/** Starts one etcd, and waits until it commits. */
export async function startEtcd(binary: string, options: EtcdOptions = {}): Promise<Etcd> {
  const [clientPort = 0, healthPort = 0, peerPort = 0] = await freePorts(3)
  const advertisedPeer = `http://127.0.0.1:${peerPort}`
  return await startMember(binary, options, {
    name: 'only',
    clientPort,
    healthPort,
    peerPort,
    advertisedPeer,
    initialCluster: `only=${advertisedPeer}`,
    // Alone it has nobody to elect against, and should not wait long to find out.
    electionTimeout: 250,
  })
}

export async function startMember(
  binary: string,
  options: EtcdOptions,
  member: EtcdMember,
): Promise<Etcd> {
  const folder = await mkdtemp(join(tmpdir(), 'micro-etcd-'))
  const { tls } = options
  const scheme = tls === undefined ? 'http' : 'https'
  const address = `${scheme}://127.0.0.1:${member.clientPort}`
  const health = `http://127.0.0.1:${member.healthPort}`
  const peer = `http://127.0.0.1:${member.peerPort}`
  let life = 0
  let token: string | undefined
  let rootPassword = ''
  const login = async (): Promise<string> => {
    const user = { name: 'root', password: rootPassword }
    return (await etcd.request('auth/authenticate', user))['token'] as string
  }
  if (tls !== undefined) {
    for (const part of ['ca', 'cert', 'key'] as const) {
      await writeFile(join(folder, `${part}.pem`), tls[part])
    }
  }
  const start = async (): Promise<RunningServer> => {
    const server = await startServer({
      command: binary,
      args: [
        ...['--name', member.name, '--data-dir', join(folder, `data-${life}`)],
        ...['--listen-client-urls', address, '--advertise-client-urls', address],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', member.advertisedPeer],
        ...['--initial-cluster', member.initialCluster, '--listen-metrics-urls', health],
        ...['--heartbeat-interval', String(Math.ceil(member.electionTimeout / 10))],
        ...['--election-timeout', String(member.electionTimeout)],
        ...(tls === undefined ? [] : tlsArgs(folder, tls.clientCertificates === true)),
        ...(options.args ?? []),
      ],
      ...(member.onSpawn === undefined ? {} : { onSpawn: member.onSpawn }),
      ready: (line) => (line.includes('ready to serve client requests') ? line : undefined),
    })
    await healthy(health)
    return server
  }
  let server = await start()

  const etcd: Etcd = {
    address,
    get pid() {
      return server.process.pid ?? 0
    },
    request: (path, body) => post(`${address}/v3/${path}`, body, tls, token),
    async put(key, value) {
      await etcd.request('kv/put', { key: encode(key), value: encode(value) })
    },
    async delete(key) {
      await etcd.request('kv/deleterange', { key: encode(key) })
    },
    async list(prefix) {
      const { kvs = [] } = await etcd.request('kv/range', {
        key: encode(prefix === '' ? '\0' : prefix),
        range_end: Buffer.concat([Buffer.from(prefix), Buffer.from([0xff])]).toString('base64'),
      })
      return (kvs as Record<string, string>[]).map((kv) => ({
        key: decode(kv['key']),
        value: decode(kv['value']),
        lease: kv['lease'] ?? '0',
        revision: kv['mod_revision'] ?? '0',
      }))
    },
    async revoke(lease) {
      await etcd.request('lease/revoke', { ID: lease })
    },
    async compact() {
      const { header } = await etcd.request('kv/range', { key: encode('a') })
      const { revision } = header as { revision: string }
      await etcd.request('kv/compaction', { revision, physical: true })
    },
    async enableAuth(password) {
      await etcd.request('auth/user/add', { name: 'root', password })
      await etcd.request('auth/role/add', { name: 'root' })
      await etcd.request('auth/user/grant', { user: 'root', role: 'root' })
      await etcd.request('auth/enable', {})
      rootPassword = password
      token = await login()
    },
    async voidTokens() {
      await etcd.request('auth/disable', {})
      token = undefined
      await etcd.request('auth/enable', {})
      token = await login()
    },
    async requests() {
      const text = await (await fetch(`${health}/metrics`)).text()
      const counts = text.matchAll(
        /^grpc_server_started_total\{grpc_method="(\w+)",grpc_service="etcdserverpb\..*\} (\S+)$/gm,
      )
      return new Map([...counts].map(([, method = '', count]) => [method, Number(count)]))
    },
    kill: () => server.stop('SIGKILL'),
    async restart() {
      await server.stop('SIGKILL')
      server = await start()
    },
    async restartEmpty() {
      life += 1
      await etcd.restart()
    },
    pause() {
      server.process.kill('SIGSTOP')
    },
    resume() {
      server.process.kill('SIGCONT')
    },
    async stop() {
      await server.stop('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
  return etcd
}

function tlsArgs(folder: string, clientCertificates: boolean): string[] {
  const args = ['--cert-file', join(folder, 'cert.pem'), '--key-file', join(folder, 'key.pem')]
  args.push('--trusted-ca-file', join(folder, 'ca.pem'))
  return clientCertificates ? [...args, '--client-cert-auth'] : args
}

/** Its port opens, and it says that it is ready, before it can commit. */
async function healthy(address: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(`${address}/health`).catch(() => undefined)
    const { health } = ((await answer?.json().catch(() => undefined)) ?? {}) as { health?: string }
    if (health === 'true') return
    if (attempt >= 500) throw new Error(`etcd at ${address} does not become healthy`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function post(
  url: string,
  body: unknown,
  tls: EtcdOptions['tls'],
  token: string | undefined,
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { authorization: token }
    const sent = (tls === undefined ? requestHttp : requestHttps)(
      url,
      { method: 'POST', headers, agent: false, ...tls },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('error', reject)
        response.on('end', () => {
          if (response.statusCode === 200) resolve(JSON.parse(text) as Record<string, unknown>)
          else reject(new Error(`${url}: ${response.statusCode} ${text}`))
        })
      },
    )
    sent.on('error', reject)
    sent.end(JSON.stringify(body))
  })
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64')
}

function decode(text: string | undefined): string {
  return Buffer.from(text ?? '', 'base64').toString()
}
