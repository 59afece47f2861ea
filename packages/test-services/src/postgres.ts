import { execFileSync } from 'node:child_process'
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from './free-ports.ts'
import { type RunningServer, startServer } from './server-process.ts'

/**
 * The folder of the PostgreSQL to test with, or `undefined` where none is installed.
 *
 * @throws in CI, where one must be.
 */
export function postgresBinaries(): string | undefined {
  const root = '/usr/lib/postgresql'
  const [newest] = list(root)
    .map(Number)
    .sort((a, b) => b - a)
  if (newest !== undefined) return join(root, String(newest), 'bin')
  if (process.env['MICRO_REQUIRE_SERVERS'] !== '1') return undefined
  throw new Error('PostgreSQL is not installed: apt-get install postgresql')
}

export interface PostgresOptions {
  /** Serves clients over TLS only; clients need a certificate of `ca` if `clientCertificates`. */
  readonly tls?: {
    readonly ca: string
    readonly cert: string
    readonly key: string
    readonly clientCertificates?: boolean
  }
  /** Settings of `postgresql.conf`. */
  readonly settings?: Readonly<Record<string, string | number>>
  /** Where the data is made. @default a new folder */
  readonly folder?: string
}

/** A real PostgreSQL with a superuser `postgres`. It ends with this process at the latest. */
export interface Postgres {
  /** `postgres://postgres@127.0.0.1:49152/postgres` */
  readonly url: string
  readonly port: number
  /** Of the process that runs now. */
  readonly pid: number
  /** Ends all of its processes where they stand. */
  kill(): Promise<void>
  /** On the same port, with the same data; kills it first if it runs. */
  restart(): Promise<void>
  /** Stops all of its processes where they are, as a machine that is suspended. */
  pause(): void
  resume(): void
  stop(): Promise<void>
}

/** Starts one, and waits until it takes connections. Root starts it as the user `postgres`. */
export async function startPostgres(
  binaries: string,
  options: PostgresOptions = {},
): Promise<Postgres> {
  const { tls } = options
  const user = process.getuid?.() === 0 ? idsOf('postgres') : undefined
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'micro-postgres-')))
  const give = (path: string): void => {
    if (user !== undefined) chownSync(path, user.uid, user.gid)
  }
  give(folder)
  const data = join(folder, 'data')
  execFileSync('cp', ['-a', template(binaries, user), data])
  if (tls !== undefined) {
    for (const part of ['ca', 'cert', 'key'] as const) {
      const path = join(folder, `${part}.pem`)
      await writeFile(path, tls[part])
      await chmod(path, 0o600)
      give(path)
    }
    const how = tls.clientCertificates === true ? 'trust clientcert=verify-ca' : 'trust'
    await writeFile(join(data, 'pg_hba.conf'), `hostssl all all 127.0.0.1/32 ${how}\n`)
  }
  const [port = 0] = await freePorts(1)
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    // Its processes are killed, not the machine.
    fsync: 'off',
    ...(tls === undefined
      ? {}
      : {
          ssl: 'on',
          ssl_ca_file: join(folder, 'ca.pem'),
          ssl_cert_file: join(folder, 'cert.pem'),
          ssl_key_file: join(folder, 'key.pem'),
        }),
    ...options.settings,
  }
  const start = (): Promise<RunningServer> =>
    startServer({
      command: join(binaries, 'postgres'),
      args: [
        '-D',
        data,
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      ready: (line) => (line.includes('ready to accept connections') ? line : undefined),
      ...user,
    })
  let server = await start()
  const family = (): number[] => {
    const { pid = 0, exitCode, signalCode } = server.process
    return exitCode === null && signalCode === null ? [pid, ...childrenOf(pid)] : []
  }
  const signalAll = (signal: NodeJS.Signals): void => {
    for (const pid of family()) signalTo(pid, signal)
  }
  const kill = async (): Promise<void> => {
    const pids = family()
    signalAll('SIGKILL')
    await server.stop('SIGKILL')
    // Its memory must be free before another can start on the data.
    while (pids.some(isRunning)) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    get pid() {
      return server.process.pid ?? 0
    },
    kill,
    async restart() {
      await kill()
      server = await start()
    },
    pause: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
    async stop() {
      await kill()
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
}

/**
 * Data that was never used, to be copied: making it takes a second, several times that on a busy machine.
 * Kept for all processes of this user.
 */
function template(binaries: string, user: { uid: number; gid: number } | undefined): string {
  const version = execFileSync(join(binaries, 'postgres'), ['--version'], { encoding: 'utf8' })
  const name = `postgres-${version.replace(/[^0-9.]+/g, '-')}${user?.uid ?? 'own'}`
  const cache = join(
    process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
    'micro-test-services',
  )
  const kept = join(cache, name)
  if (existsSync(kept)) return kept
  const folder = mkdtempSync(join(tmpdir(), 'micro-postgres-'))
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  execFileSync(
    join(binaries, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'],
    { cwd: folder, stdio: 'ignore', ...user },
  )
  const mine = `${kept}.${process.pid}`
  mkdirSync(cache, { recursive: true })
  execFileSync('cp', ['-a', data, mine])
  rmSync(folder, { recursive: true })
  try {
    renameSync(mine, kept)
  } catch {
    // Another process was first.
    rmSync(mine, { recursive: true })
  }
  return kept
}

function idsOf(name: string): { uid: number; gid: number } {
  const id = (flag: string): number =>
    Number(execFileSync('id', [flag, name], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

function childrenOf(parent: number): number[] {
  return list('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && statusOf(pid)?.parent === parent)
}

function isRunning(pid: number): boolean {
  const state = statusOf(pid)?.state
  return state !== undefined && state !== 'Z' && state !== 'X'
}

function statusOf(pid: number): { state: string; parent: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name before is in brackets, and may have any characters.
    const [state = '', parent] = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state, parent: Number(parent) }
  } catch {
    return undefined
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended by itself.
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
