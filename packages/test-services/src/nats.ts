import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from './free-ports.ts'
import { type RunningServer, startServer } from './server-process.ts'

/**
 * The NATS server to test with, or `undefined` where none is installed.
 *
 * @throws in CI, where one must be.
 */
export function natsBinary(): string | undefined {
  try {
    execFileSync('nats-server', ['--version'], { stdio: 'ignore' })
    return 'nats-server'
  } catch {
    if (process.env['MICRO_REQUIRE_SERVERS'] !== '1') return undefined
    throw new Error('NATS is not installed: apt-get install nats-server')
  }
}

export interface NatsOptions {
  /** Serves clients over TLS only, and asks them for certificates of `ca` if `clientCertificates`. */
  readonly tls?: {
    readonly ca: string
    readonly cert: string
    readonly key: string
    readonly clientCertificates?: boolean
  }
  /** Without it there is core NATS only. @default true */
  readonly jetstream?: boolean
  /** More of its configuration file: `authorization { token: secret }`. */
  readonly config?: string
}

/** A real NATS server with JetStream. It ends with this process at the latest. */
export interface Nats {
  readonly port: number
  /** For clients: `nats://127.0.0.1:49152`. */
  readonly url: string
  /** Of the process that runs now. */
  readonly pid: number
  kill(): Promise<void>
  /** On the same port, with the same data. */
  restart(): Promise<void>
  /** Stops it where it is: connections stay, nothing is answered. */
  pause(): void
  resume(): void
  stop(): Promise<void>
}

/** Starts one NATS server, and waits until it takes connections. */
export async function startNats(binary: string, options: NatsOptions = {}): Promise<Nats> {
  const folder = await mkdtemp(join(tmpdir(), 'micro-nats-'))
  const [port = 0] = await freePorts(1)
  const file = join(folder, 'nats.conf')
  const { tls, jetstream = true, config = '' } = options
  if (tls !== undefined) {
    for (const part of ['ca', 'cert', 'key'] as const) {
      await writeFile(join(folder, `${part}.pem`), tls[part])
    }
  }
  const lines = [
    `listen: "127.0.0.1:${port}"`,
    ...(jetstream ? [`jetstream { store_dir: "${join(folder, 'data')}" }`] : []),
    ...(tls === undefined ? [] : [tlsBlock(folder, tls.clientCertificates === true)]),
    config,
  ]
  await writeFile(file, lines.join('\n'))
  const start = (): Promise<RunningServer> =>
    startServer({
      command: binary,
      args: ['--config', file],
      ready: (line) => (line.includes('Server is ready') ? line : undefined),
    })
  let server = await start()

  return {
    port,
    url: `${tls === undefined ? 'nats' : 'tls'}://127.0.0.1:${port}`,
    get pid() {
      return server.process.pid ?? 0
    },
    kill: () => server.stop('SIGKILL'),
    async restart() {
      await server.stop('SIGKILL')
      server = await start()
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
}

function tlsBlock(folder: string, clientCertificates: boolean): string {
  return `tls {
  cert_file: "${join(folder, 'cert.pem')}"
  key_file: "${join(folder, 'key.pem')}"
  ca_file: "${join(folder, 'ca.pem')}"
  verify: ${clientCertificates}
}`
}
