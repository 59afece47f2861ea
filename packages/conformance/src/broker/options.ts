import type { Broker } from '@micro/core/broker'
import type { SuiteOptions } from '../kit/harness.ts'

export interface BrokerSuiteOptions extends SuiteOptions<Broker> {
  /**
   * Ends an instance as a crash of its process would: nothing more is settled, nothing is said
   * goodbye. Without it, redelivery after a crash is not shown here.
   */
  readonly crash?: (broker: Broker) => Promise<void> | void
}
