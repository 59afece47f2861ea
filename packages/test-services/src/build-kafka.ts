/** Fetches the Kafka to test with, once for each machine: under a minute where Maven has none of it yet. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startKafka } from './kafka.ts'
import { archiveOf, clusterId, kafkaSource, kafkaTarget, runKafkaTool } from './kafka-target.ts'

const target = kafkaTarget()
if (!existsSync(target)) {
  const part = `${target}.${process.pid}.part`
  const started = performance.now()
  console.log('Fetching Kafka for tests; the first time takes up to a minute.')
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
  const { status, error } = spawnSync(
    'mvn',
    ['-q', '-B', goal, `-DoutputDirectory=${join(part, 'lib')}`, '-DincludeScope=runtime'],
    { cwd: kafkaSource, stdio: 'inherit' },
  )
  if (error !== undefined) console.error(`mvn: ${error.message}; it needs Maven and Java 17`)
  if (status !== 0) process.exit(1)
  // The snapshot that a new node begins with is the same for all, and costs a start of Java to make.
  const folder = join(part, 'format')
  mkdirSync(folder)
  writeFileSync(
    join(part, 'format.properties'),
    [
      'process.roles=broker,controller',
      'node.id=1',
      'controller.quorum.voters=1@127.0.0.1:1',
      'controller.listener.names=CONTROLLER',
      'listeners=CONTROLLER://127.0.0.1:1,PLAINTEXT://127.0.0.1:2',
      `log.dirs=${folder}`,
    ].join('\n'),
  )
  runKafkaTool(part, ['format', '-t', clusterId, '-c', join(part, 'format.properties')])
  renameSync(join(folder, 'bootstrap.checkpoint'), join(part, 'bootstrap.checkpoint'))
  rmSync(folder, { recursive: true })
  renameSync(part, target)
  await keepClasses()
  console.log(`Ready in ${Math.round((performance.now() - started) / 1_000)} s.`)
}

/** Keeps what Java has made of the classes of one run, at the place where they stay: later starts cost half. */
async function keepClasses(): Promise<void> {
  const kafka = await startKafka(target, {
    javaArgs: [`-XX:ArchiveClassesAtExit=${archiveOf(target)}`],
  })
  await kafka.nodes[0]?.end()
  await kafka.stop()
}
