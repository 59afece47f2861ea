import {
  faulty,
  type Injection,
  type SeededOptions,
  scripted,
  seeded,
} from '@micro/conformance/faults'
import { outcomeOf } from '@micro/conformance/kit'
import { type Component, staticComponent } from '@micro/core/component'
import { memoryLogger } from '@micro/core/logger'
import { memoryStore } from '@micro/core/store'
import { memorySync } from '@micro/core/sync'
import { describe, expect, test } from 'vitest'

const every = { delay: 0.1, fail_before: 0.2, fail_after: 0.2, duplicate: 0.1, cut: 0.2 }

/** A hundred rounds of the same calls, and what was injected into them. */
async function runWith(options: Partial<SeededOptions>, others = 0): Promise<readonly Injection[]> {
  const plan = seeded({ seed: 1, probabilities: every, delay: 0, ...options })
  const store = faulty(memoryStore(), plan)
  for (let round = 0; round < 100; round++) {
    await outcomeOf(store.write('a', Uint8Array.of(round)))
    for (let other = 0; other < others; other++) await outcomeOf(store.delete('b'))
    await outcomeOf(Array.fromAsync(store.list()))
  }
  return store.injected
}

describe('a seeded plan', () => {
  test('does the same again, from the same plan and from one that is made anew', async () => {
    const first = await runWith({})
    expect(first.length).toBeGreaterThan(50)
    expect(await runWith({})).toEqual(first)
    expect(await runWith({ seed: 2 })).not.toEqual(first)
  })

  test('does the same to a method, whatever other methods are called between', async () => {
    const without = await runWith({})
    const among = await runWith({}, 2)
    expect(among.filter(({ method }) => method === 'delete')).not.toEqual([])
    expect(among.filter(({ method }) => method !== 'delete')).toEqual(without)
  })

  test('draws for each method anew, and each number up to its limit', async () => {
    const injected = await runWith({ probabilities: { cut: 0.5, fail_before: 0.5 }, items: 2 })
    const callsOf = (wanted: string): number[] =>
      injected
        .filter(({ method, kind }) => method === wanted && kind === 'fail_before')
        .map(({ call }) => call)
    expect(callsOf('write')).not.toEqual(callsOf('list'))
    const items = injected.flatMap((one) => (one.kind === 'cut' ? [one.items] : []))
    expect(new Set(items)).toEqual(new Set([0, 1, 2]))
  })

  test('leaves other methods alone', async () => {
    const injected = await runWith({ methods: ['list'] })
    expect(new Set(injected.map(({ method }) => method))).toEqual(new Set(['list']))
    // What only a promise can suffer leaves an iterable alone.
    expect(new Set(injected.map(({ kind }) => kind))).toEqual(
      new Set(['delay', 'fail_before', 'cut']),
    )
  })

  test('injects each kind about as often as asked', async () => {
    const injected = await runWith({ probabilities: { fail_before: 0.5 }, methods: ['write'] })
    expect(injected.length).toBeGreaterThan(35)
    expect(injected.length).toBeLessThan(65)
    expect(await runWith({ probabilities: { fail_before: 1 }, methods: ['write'] })).toHaveLength(
      100,
    )
    expect(await runWith({ probabilities: {} })).toEqual([])
  })

  test('can be played again from what was injected', async () => {
    const injected = await runWith({})
    const store = faulty(memoryStore(), scripted(injected))
    for (let round = 0; round < 100; round++) {
      await outcomeOf(store.write('a', Uint8Array.of(round)))
      await outcomeOf(Array.fromAsync(store.list()))
    }
    expect(store.injected).toEqual(injected)
  })

  const refused: readonly (readonly [field: string, options: Partial<SeededOptions>])[] = [
    ['seed', { seed: 0.5 }],
    ['seed', { seed: Number.NaN }],
    ['probabilities.drop', { probabilities: { drop: -0.1 } }],
    ['probabilities.drop', { probabilities: { drop: 1.1 } }],
    ['probabilities.cut', { probabilities: { cut: Number.NaN } }],
    ['probabilities: they add up to', { probabilities: { drop: 0.6, cut: 0.6 } }],
    ['probabilities.explode', { probabilities: { explode: 0.1 } as Record<string, number> }],
    ['delay', { delay: -1 }],
    ['hold', { hold: Number.POSITIVE_INFINITY }],
    ['items', { items: 1.5 }],
    ['methods', { methods: ['raed'] }],
    ['methods', { methods: ['close'] }],
  ]
  test.each(refused)('refuses %s, by name', (field, options) => {
    const make = () =>
      faulty(memoryStore(), seeded({ seed: 1, probabilities: { drop: 0.1 }, ...options }))
    expect(make).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        detail: expect.stringContaining(field),
      }),
    )
  })

  test('takes probabilities whose decimal fractions add up to one', () => {
    const tenth = { delay: 0.1, drop: 0.7, cut: 0.2 }
    expect(() => seeded({ seed: 1, probabilities: tenth })).not.toThrow()
  })
})

describe('a script', () => {
  const refused: readonly (readonly [field: string, script: readonly Injection[]])[] = [
    ['script[0].method', [{ kind: 'drop', method: 'raed', call: 1 }]],
    ['script[0].method', [{ kind: 'drop', method: 'connect', call: 1 }]],
    ['script[0].call', [{ kind: 'drop', method: 'read', call: 0 }]],
    ['script[0].kind', [{ kind: 'cut', items: 1, method: 'read', call: 1 }]],
    ['script[0].kind', [{ kind: 'duplicate', method: 'list', call: 1 }]],
    ['script[0].items', [{ kind: 'cut', items: -1, method: 'list', call: 1 }]],
    ['script[0].milliseconds', [{ kind: 'delay', milliseconds: -1, method: 'read', call: 1 }]],
    [
      'script[1]',
      [
        { kind: 'drop', method: 'read', call: 1 },
        { kind: 'fail_before', method: 'read', call: 1 },
      ],
    ],
  ]
  test.each(refused)('refuses %s, by name', (field, script) => {
    expect(() => faulty(memoryStore(), scripted(script))).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        detail: expect.stringContaining(field),
      }),
    )
  })
})

describe('what is not faulted', () => {
  test('is there as it was: name, contract, supports, health, connect', async () => {
    const real = memoryStore()
    const store = faulty(real, seeded({ seed: 1, probabilities: { fail_before: 1 } }))
    expect(store.name).toBe('memory')
    expect(store.contract).toBe('store/0')
    expect(store.supports).toBe(real.supports)
    await store.connect()
    expect(store.health()).toEqual({ status: 'up' })
    expect(store.read).toBe(store.read)
    expect(Object.keys(store)).toEqual(Object.keys(real))
    await store.close()
    expect(store.health()).toEqual({ status: 'down' })
  })

  test('a component whose methods do no I/O is refused, and what it lacks cannot be asked for', () => {
    expect(() => faulty(memoryLogger(), scripted([]))).toThrow(/methods: no method of logger\/0/)
    const { commit: _, ...plain } = memoryStore()
    expect(() => faulty(plain, scripted([{ kind: 'drop', method: 'commit', call: 1 }]))).toThrow(
      /script\[0\]\.method: "commit"/,
    )
  })
})

interface Counter extends Component {
  total: number
  reset(): void
  add(value: number): Promise<number>
  below(): { add(value: number): Promise<number> }
}

/** With private fields, so that a wrong `this` fails. */
class FrozenCounter {
  readonly name = 'frozen'
  readonly contract = 'counter/0'
  readonly #state = { total: 0 }
  readonly connect = staticComponent('', '').connect
  readonly health = staticComponent('', '').health
  readonly close = staticComponent('', '').close

  constructor() {
    Object.freeze(this)
  }
  get total(): number {
    return this.#state.total
  }
  set total(value: number) {
    this.#state.total = value
  }
  reset(): void {
    this.#state.total = 0
  }
  async add(value: number): Promise<number> {
    this.#state.total += value
    return this.#state.total
  }
  below() {
    return { base: this, add: (value: number) => this.add(value) }
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

describe('a contract of your own', () => {
  test('is faulted where its methods are told, with its own `this`, frozen or not', async () => {
    const counter = faulty<Counter>(
      new FrozenCounter(),
      scripted([
        { kind: 'duplicate', method: 'add', call: 1 },
        { kind: 'fail_after', method: 'below.add', call: 1 },
      ]),
      { methods: { add: 'promise', below: { handle: { add: 'promise' } } } },
    )
    expect(counter).toBeInstanceOf(FrozenCounter)
    expect(await counter.add(1)).toBe(2)
    expect(await outcomeOf(counter.below().add(1))).toMatchObject({ code: 'unavailable' })
    expect(counter.total).toBe(3)
    counter.total = 10
    expect(await counter.below().add(1)).toBe(11)
    counter.reset()
    expect(counter.total).toBe(0)
    await counter.connect()
  })

  test('two faulty views of one component are told apart', async () => {
    const real = memorySync()
    const script = scripted([{ kind: 'fail_before', method: 'lock', call: 1 }])
    for (const sync of [faulty(real, script), faulty(real, script)]) {
      expect(await outcomeOf(sync.lock('a'))).toMatchObject({ processed: 'no' })
      expect(sync.injected).toHaveLength(1)
    }
  })
})
