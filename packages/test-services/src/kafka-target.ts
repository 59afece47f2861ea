import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

export const kafkaSource: string = join(import.meta.dirname, '../kafka')

/** Of every cluster for tests; what has another one refuses to start. */
export const clusterId = 'bWljcm8tdGVzdC1rYWZrYQ'

/** Where the fetched Kafka is kept, for all clones of this machine: by what it is fetched from. */
export function kafkaTarget(): string {
  const hash = createHash('sha256').update(readFileSync(join(kafkaSource, 'pom.xml')))
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  return join(cache, 'micro-test-services', `kafka-${hash.digest('hex').slice(0, 16)}`)
}

/**
 * The Kafka to test with, or `undefined` where there is none, or no Java.
 *
 * @throws in CI, where there must be.
 */
export function kafkaHome(): string | undefined {
  const path = kafkaTarget()
  const missing = existsSync(path) ? javaMissing() : 'Kafka is not there'
  if (missing === undefined) return path
  if (process.env['MICRO_REQUIRE_SERVERS'] !== '1') return undefined
  throw new Error(`${missing}: pnpm --filter @micro/test-services build:kafka, with Java 17`)
}

/** What Java keeps of a run, where there is such. */
export function archiveOf(home: string): string {
  return join(home, 'kafka.jsa')
}

export const javaArgs: readonly string[] = [
  '-Xms96m',
  '-Xmx512m',
  // Starts soon and stays small; a test's server need not be fast.
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
  '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
  '-Dlog4j2.statusLoggerLevel=OFF',
]

/** One of Kafka's own tools, to its end: `format` and more, of its `StorageTool`. */
export function runKafkaTool(home: string, args: readonly string[]): void {
  const classPath = ['-cp', join(home, 'lib', '*')]
  execFileSync('java', [...javaArgs, ...classPath, 'kafka.tools.StorageTool', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

function javaMissing(): string | undefined {
  try {
    execFileSync('java', ['-version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'Java is not installed'
  }
}
