import type { Broker, BrokerMessage } from '@micro/core/broker'
import { expect } from 'vitest'
import { expectCode } from '../kit/lifecycle.ts'
import type { Trait } from '../kit/trait.ts'
import { message, openInbox, textsOf } from './inbox.ts'

const topics = ['', ' ', 'a b', 'a/b', '.a', 'ä', 'a*', 'a\n', 'x'.repeat(250)]
const bad: readonly (readonly [field: string, message: Partial<BrokerMessage>])[] = [
  ['key', { key: '' }],
  ['key', { key: 'x'.repeat(513) }],
  ['key', { key: '\ud800' }],
  ['headers', { headers: { 'Upper-Case': 'x' } }],
  ['headers', { headers: { 'a b': 'x' } }],
  ['headers.a', { headers: { a: 'a\r\nb: c' } }],
  ['headers.a', { headers: { a: 'ключ' } }],
]

export const refusals: Trait<Broker> = {
  name: 'refusals',
  cases: [
    {
      name: 'topics that not every backend takes',
      run: async (harness) => {
        const broker = await harness.open()
        for (const topic of topics) {
          const error = await expectCode(broker.publish(topic, [message('1')]), 'invalid_argument')
          expect(error.detail).toContain('topic')
          await expectCode(
            broker.subscribe(topic, async () => []),
            'invalid_argument',
          )
        }
      },
    },
    {
      name: 'bad groups and batch sizes, by name',
      run: async (harness) => {
        const broker = await harness.open()
        for (const options of [{ group: '' }, { group: 'a b' }, { batch: 0 }, { batch: 1.5 }]) {
          const subscribe = broker.subscribe('a', async () => [], options)
          const error = await expectCode(subscribe, 'invalid_argument')
          expect(error.detail).toContain(Object.keys(options)[0])
        }
      },
    },
    {
      name: 'bad messages, by place; nothing of such a batch is published',
      run: async (harness) => {
        const broker = await harness.open()
        const inbox = await openInbox(broker, 'a', { group: 'g' })
        for (const [field, part] of bad) {
          const batch = [message('good'), message('bad', part)]
          const error = await expectCode(broker.publish('a', batch), 'invalid_argument')
          expect(error.detail).toContain(`messages[1].${field}`)
        }
        await broker.publish('a', [message('end')])
        expect(textsOf(await inbox.received(1))).toEqual(['end'])
      },
    },
  ],
}
