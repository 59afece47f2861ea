import { type Access, storeAccess } from '@micro/core/access'
import type { Account } from '@micro/core/auth'
import { memoryStore } from '@micro/core/store'
import { spreadOf } from './measure.ts'

const decisions = 100_000

/** A decision is a few look-ups, however many rules there are. */
export async function benchAccess(): Promise<void> {
  const sizes = [10, 1_000, 100_000]
  const all = await Promise.all(sizes.map(filled))
  for (let warm = 0; warm < 5; warm++) for (const [at, one] of all.entries()) time(one, sizes[at])
  const rounds = Array.from({ length: 9 }, () => all.map((one, at) => time(one, sizes[at])))
  const line = sizes.map((size, at) => {
    const { median, low, high } = spreadOf(rounds.map((round) => round[at] as number))
    return `${median.toFixed(2)} µs (${low.toFixed(2)}–${high.toFixed(2)}) among ${size}`
  })
  const ratio = spreadOf(rounds.map((round) => (round[2] as number) / (round[0] as number)))
  console.log(
    `access decision: ${line.join(', ')}` +
      `\n  the last to the first: ${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)})`,
  )
  for (const one of all) await one.close()
}

/** Microseconds of one decision. */
function time(access: Access, size = 1): number {
  const account: Account = {
    id: 'ada',
    type: 'user',
    issuer: 'bench',
    scopes: ['orders:read', 'team-7', 'staff'],
    metadata: {},
  }
  const resources = Array.from({ length: 1_000 }, (_, at) => {
    return { type: 'service', name: `service-${(at * 97) % size}`, endpoint: 'method' }
  })
  const started = performance.now()
  for (let at = 0; at < decisions; at++) {
    access.decide(account, resources[at % resources.length] as (typeof resources)[0])
  }
  return ((performance.now() - started) * 1_000) / decisions
}

/** Rules of every kind: exact and by path, for everyone and for scopes, allowing and denying. */
async function filled(count: number): Promise<Access> {
  const access = storeAccess({ store: memoryStore() })
  await access.connect()
  for (let at = 0; at < count; at++) {
    await access.grant({
      id: `rule-${at}`,
      access: at % 5 === 0 ? 'deny' : 'allow',
      scope: at % 3 === 0 ? '' : `team-${at % 11}`,
      priority: at % 7,
      resource: {
        type: at % 50 === 0 ? '*' : 'service',
        name: `service-${at}`,
        endpoint: at % 2 === 0 ? '*' : at % 10 === 1 ? '/admin/*' : 'method',
      },
    })
  }
  return access
}
