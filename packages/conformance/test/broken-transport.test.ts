import { transportTraits } from '@micro/conformance/transport'
import { describe, expect, test } from 'vitest'
import { brokenCalls } from './support/broken-calls.ts'
import { brokenConnections } from './support/broken-connections.ts'
import { brokenContexts } from './support/broken-contexts.ts'
import { brokenStreams } from './support/broken-streams.ts'
import { failuresOf } from './support/failures-of.ts'
import { type TransportFault, wiredTransports } from './support/wired-transports.ts'

const broken = [...brokenCalls, ...brokenContexts, ...brokenStreams, ...brokenConnections]

async function failuresWith(name: string, fault: TransportFault): Promise<string[]> {
  const options = wiredTransports(fault)
  const trait = transportTraits(options).find((one) => one.name === name)
  return failuresOf(trait, options, 2_000)
}

const caught = new Map<string, Set<string>>()

// Together, since a broken transport mostly makes a case wait for what never comes.
describe.concurrent('a transport that', () => {
  test.each(broken)('%s: %s, is caught', { timeout: 15_000 }, async (name, _what, fault) => {
    const failures = await failuresWith(name, fault)
    const known = caught.get(name) ?? new Set()
    caught.set(name, known)
    for (const failure of failures) known.add(failure)
    expect(failures).not.toEqual([])
  })
})

// The cases of `lifecycle` are the kit's own, and broken there.
test.each(transportTraits(wiredTransports()).filter(({ name }) => name !== 'lifecycle'))(
  '$name: each case catches one of them',
  ({ name, cases }) => {
    const blind = cases.map((one) => one.name).filter((one) => caught.get(name)?.has(one) !== true)
    expect(blind).toEqual([])
  },
)
