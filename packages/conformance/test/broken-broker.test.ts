import { brokerTraits } from '@micro/conformance/broker'
import type { Broker } from '@micro/core/broker'
import { describe, expect, test } from 'vitest'
import { brokenBrokers } from './support/broken-brokers.ts'
import { failuresOf } from './support/failures-of.ts'
import { memoryBrokers } from './support/memory-brokers.ts'

const traits = brokerTraits({ ...memoryBrokers(), name: 'memory' })

test.for(traits.map(({ name }) => name))('%s: a broker that works passes', async (name) => {
  const options = { ...memoryBrokers(), name: 'memory' }
  const trait = brokerTraits(options).find((one) => one.name === name)
  expect(await failuresOf(trait, options)).toEqual([])
})

// At once, since a case that a broken broker never ends costs the whole of its patience.
describe.concurrent('a broker that', () => {
  test.for(brokenBrokers)('%s: %s, is caught', async ([name, , breakIt]) => {
    const working = memoryBrokers()
    const originals = new Map<Broker, Broker>()
    const options = {
      name: 'broken',
      create(scope: string): Broker {
        const original = working.create(scope)
        const broker = { ...original, ...breakIt(original) }
        originals.set(broker, original)
        return broker
      },
      crash: (broker: Broker): void => working.crash(originals.get(broker) ?? broker),
    }
    const trait = brokerTraits(options).find((one) => one.name === name)
    expect(await failuresOf(trait, options, 2_000)).not.toEqual([])
  })
})
