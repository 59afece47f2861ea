import type { Transport } from '@micro/core/transport'
import { lifecycleTrait } from '../kit/lifecycle.ts'
import { runSuite } from '../kit/run-suite.ts'
import type { Trait } from '../kit/trait.ts'
import { cancellationTrait } from './cancellation.ts'
import { closingTrait } from './closing.ts'
import { concurrencyTrait } from './concurrency.ts'
import { deadlinesTrait } from './deadlines.ts'
import { endingsTrait } from './endings.ts'
import { failuresTrait } from './failures.ts'
import { flowTrait } from './flow.ts'
import { limitsTrait } from './limits.ts'
import { metadataTrait } from './metadata.ts'
import type { TransportAbilities, TransportSuiteOptions } from './options.ts'
import { receiverOf } from './pair.ts'
import { pingTrait } from './ping.ts'
import { streamsTrait } from './streams.ts'
import { unaryTrait } from './unary.ts'

export type { TransportAbilities, TransportSuiteOptions } from './options.ts'

/** What every `Transport` does, by trait. */
export function transportTraits(abilities: TransportAbilities = {}): readonly Trait<Transport>[] {
  return [
    unaryTrait(abilities),
    metadataTrait(abilities),
    failuresTrait(abilities),
    deadlinesTrait(abilities),
    cancellationTrait(abilities),
    streamsTrait(abilities),
    flowTrait(abilities),
    endingsTrait(abilities),
    concurrencyTrait(abilities),
    limitsTrait(abilities),
    closingTrait(abilities),
    pingTrait(abilities),
    lifecycleTrait([
      {
        name: 'listen',
        call: async (transport, options) => {
          const listener = await transport.listen(receiverOf({}), options)
          await listener.close()
        },
      },
    ]),
  ]
}

/** Proves that a transport keeps the contract `transport/0`. Call it at the top of a test file. */
export function transportConformance(options: TransportSuiteOptions): void {
  runSuite('transport', transportTraits(options), options)
}
