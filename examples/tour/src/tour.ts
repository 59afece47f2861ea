/**
 * The tour: three processes of one service find each other, share the calls of a client, stream to
 * it, and lose none of its calls when one is killed and one is stopped. Then messages, records, config
 * and locks, in one process.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { consoleLogger, createService } from '@micro/core'
import { fileRegistry } from '@micro/plugin-registry-file'
import { httpTransport } from '@micro/plugin-transport-http'
import { type Instance, startInstance } from './fleet.ts'
import { Greeter } from './greeter.ts'
import { visitOneProcess } from './one-process.ts'
import { createReport } from './report.ts'
import { startTraffic } from './traffic.ts'

const directory = await mkdtemp(join(tmpdir(), 'micro-tour-'))
const fleet: Instance[] = []
const report = createReport()
const { title, say, check } = report
const client = createService({
  name: 'visitor',
  registry: fileRegistry({ directory }),
  transports: [httpTransport()],
  logger: consoleLogger({ level: 'error' }),
  shutdown: { signals: false },
})

try {
  await client.start()
  await visit()
} finally {
  await client.stop()
  for (const { process: child } of fleet) child.kill('SIGKILL')
  await rm(directory, { recursive: true, force: true })
}
for (const what of report.failed) console.error(`  ✗ ${what}`)
process.exitCode = report.failed.length === 0 ? 0 : 1

async function visit(): Promise<void> {
  const greeter = client.client(Greeter)

  title('Three processes of one service start, and register in a directory')
  fleet.push(
    ...(await Promise.all(['anna', 'ben', 'cleo'].map((name) => startInstance(name, directory)))),
  )
  for (const { name, url, process: child } of fleet)
    say(`${name.padEnd(5)} process ${child.pid} at ${url}`)

  title('A client finds them and calls')
  const { text, by } = await greeter.hello({ name: 'Ada' }, { timeout: 2_000 })
  say(`"${text}", answered by ${by}`)
  check(text === 'Hello Ada', 'the greeting is right')

  title('One of them streams')
  const counted: number[] = []
  for await (const { n } of greeter.countdown({ from: 5 })) counted.push(n)
  say(counted.join(' … '))
  check(counted.join() === '5,4,3,2,1', 'the countdown is whole')

  title('Calls flow, 16 at a time, while one process is killed and one is asked to stop')
  const traffic = startTraffic(greeter, 16)
  await traffic.after(1_000)
  say(spread(traffic.answers))
  check(traffic.answers.size === 3, 'all three answer')

  const [anna, ben, cleo] = fleet as [Instance, Instance, Instance]
  anna.process.kill('SIGKILL')
  say(`anna is killed: ${await anna.ended}`)
  await traffic.after(1_000)
  say(spread(traffic.answers))

  ben.process.kill('SIGTERM')
  const exit = await ben.ended
  say(`ben is asked to stop, finishes its calls, and ends with exit code ${exit}`)
  check(exit === 0, 'a stopped instance exits with 0')
  const before = traffic.answers.get(cleo.name) ?? 0
  await traffic.after(1_000)
  await traffic.stop()
  say(spread(traffic.answers))
  check((traffic.answers.get(cleo.name) ?? 0) >= before + 900, 'the last one answers all the rest')
  const total = [...traffic.answers.values()].reduce((sum, count) => sum + count, 0)
  say(`${total} calls answered, ${traffic.failures.length} failed`)
  check(traffic.failures.length === 0, `no call fails: ${traffic.failures[0] ?? ''}`)

  await visitOneProcess(report)

  if (process.stdout.isTTY) await keepServing(cleo)
}

/** On a terminal, somebody may want to try it. */
async function keepServing({ name, url }: Instance): Promise<void> {
  title(`${name} goes on serving. Try it, and end with Ctrl-C:`)
  say(`curl -H 'content-type: application/json' -d '{"name":"you"}' ${url}/greeter/hello`)
  const timer = setInterval(() => undefined, 60_000)
  await new Promise((resolve) => process.once('SIGINT', resolve))
  clearInterval(timer)
}

function spread(answers: ReadonlyMap<string, number>): string {
  const total = [...answers.values()].reduce((sum, count) => sum + count, 0)
  const shares = [...answers]
    .sort()
    .map(([name, count]) => `${name} ${Math.round((100 * count) / total)} %`)
  return `${total} answers: ${shares.join(', ')}`
}
