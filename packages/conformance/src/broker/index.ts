import type { Broker } from '@micro/core/broker'
import { lifecycleTrait } from '../kit/lifecycle.ts'
import { runSuite } from '../kit/run-suite.ts'
import type { Trait } from '../kit/trait.ts'
import { delivering } from './delivering.ts'
import { flow } from './flow.ts'
import { groups } from './groups.ts'
import { message } from './inbox.ts'
import type { BrokerSuiteOptions } from './options.ts'
import { ordering } from './ordering.ts'
import { refusals } from './refusals.ts'
import { settling } from './settling.ts'

export type { BrokerSuiteOptions } from './options.ts'

const lifecycle: Trait<Broker> = lifecycleTrait([
  { name: 'publish', call: (broker, options) => broker.publish('t', [message('1')], options) },
  {
    name: 'subscribe',
    call: async (broker, options) => {
      const subscription = await broker.subscribe('t', async () => ['ack'], options)
      await subscription.close()
    },
  },
])

/** What every `Broker` does, by trait. */
export function brokerTraits(options: BrokerSuiteOptions): readonly Trait<Broker>[] {
  return [delivering, groups, settling(options), ordering, flow, refusals, lifecycle]
}

/** Proves that a broker keeps the contract `broker/0`. Call it at the top of a test file. */
export function brokerConformance(options: BrokerSuiteOptions): void {
  runSuite('broker', brokerTraits(options), options)
}
