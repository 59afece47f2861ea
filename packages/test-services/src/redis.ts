import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from './free-ports.ts'
import { type RunningServer, startServer } from './server-process.ts'

/**
 * The Redis to test with, or `undefined` where none is installed.
 *
 * @throws in CI, where one must be.
 */
export function redisBinary(): string | undefined {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
    return 'redis-server'
  } catch {
    if (process.env['MICRO_REQUIRE_SERVERS'] !== '1') return undefined
    throw new Error('Redis is not installed: apt-get install redis-server')
  }
}

export interface RedisOptions {
  /** Serves clients over TLS only, and asks them for certificates of `ca` if `clientCertificates`. */
  readonly tls?: {
    readonly ca: string
    readonly cert: string
    readonly key: string
    readonly clientCertificates?: boolean
  }
  /** More of the command line. */
  readonly args?: readonly string[]
}

/** A real Redis that loses nothing it has acknowledged. It ends with this process at the latest. */
export interface Redis {
  readonly port: number
  /** For clients: `redis://127.0.0.1:49152`. */
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

/** Starts one Redis, and waits until it takes commands. */
export async function startRedis(binary: string, options: RedisOptions = {}): Promise<Redis> {
  const folder = await mkdtemp(join(tmpdir(), 'micro-redis-'))
  const [port = 0] = await freePorts(1)
  const { tls } = options
  if (tls !== undefined) {
    for (const part of ['ca', 'cert', 'key'] as const) {
      await writeFile(join(folder, `${part}.pem`), tls[part])
    }
  }
  const start = (): Promise<RunningServer> =>
    startServer({
      command: binary,
      args: [
        ...['--bind', '127.0.0.1', '--dir', folder, '--save', ''],
        ...['--appendonly', 'yes', '--appendfsync', 'always'],
        ...(tls === undefined
          ? ['--port', String(port)]
          : tlsArgs(folder, port, tls.clientCertificates === true)),
        ...(options.args ?? []),
      ],
      ready: (line) => (/ready to accept connections/i.test(line) ? line : undefined),
    })
  let server = await start()

  return {
    port,
    url: `${tls === undefined ? 'redis' : 'rediss'}://127.0.0.1:${port}`,
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

function tlsArgs(folder: string, port: number, clientCertificates: boolean): string[] {
  return [
    ...['--port', '0', '--tls-port', String(port)],
    ...['--tls-cert-file', join(folder, 'cert.pem'), '--tls-key-file', join(folder, 'key.pem')],
    ...['--tls-ca-cert-file', join(folder, 'ca.pem')],
    ...['--tls-auth-clients', clientCertificates ? 'yes' : 'no'],
  ]
}
