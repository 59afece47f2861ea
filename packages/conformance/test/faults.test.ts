import { faulty, type Injection, scripted } from '@micro/conformance/faults'
import { outcomeOf } from '@micro/conformance/kit'
import { MicroError } from '@micro/core/errors'
import type { Store } from '@micro/core/store'
import { memorySync } from '@micro/core/sync'
import { describe, expect, test } from 'vitest'
import { awake } from './support/awake.ts'
import { bytes, keysOf, storeWith } from './support/faulty-stores.ts'

describe('a call that is', () => {
  test('delayed is made late, and not at all once given up', async () => {
    const { real, store } = await storeWith(
      { kind: 'delay', milliseconds: 1, method: 'write', call: 1 },
      { kind: 'delay', milliseconds: 2 ** 31 - 1, method: 'write', call: 2 },
    )
    const late = store.write('late', bytes('1'))
    expect(await real.read('late')).toBeUndefined()
    await awake(() => late)
    expect(await real.read('late')).toBeDefined()

    const controller = new AbortController()
    const never = outcomeOf(store.write('never', bytes('1'), { signal: controller.signal }))
    const reason = Symbol('mine')
    controller.abort(reason)
    expect(await never).toBe(reason)
    expect(await real.read('never')).toBeUndefined()
  })

  test('dropped ends with its signal and no sooner, and is not done', async () => {
    const { real, store } = await storeWith({ kind: 'drop', method: 'write', call: 1 })
    const controller = new AbortController()
    let ended = false
    const dropped = outcomeOf(store.write('x', bytes('1'), { signal: controller.signal }))
    void dropped.finally(() => {
      ended = true
    })
    // Any other call is answered meanwhile, as often as one likes.
    for (let round = 0; round < 10; round++) await store.write('y', bytes('1'))
    expect(ended).toBe(false)
    controller.abort('enough')
    expect(await dropped).toBe('enough')
    expect(await real.read('x')).toBeUndefined()
  })

  test('failed before is not done, and says so', async () => {
    const { real, store } = await storeWith({ kind: 'fail_before', method: 'write', call: 2 })
    await store.write('x', bytes('1'))
    const error = await outcomeOf(store.write('x', bytes('2')))
    expect(error).toMatchObject({
      code: 'unavailable',
      processed: 'no',
      detail: 'injected fault: call 2 of write failed before it was made',
    })
    expect((await real.read('x'))?.value).toEqual(bytes('1'))
    await store.write('x', bytes('3'))
    expect((await real.read('x'))?.value).toEqual(bytes('3'))
  })

  test('failed after is done, and nobody can know', async () => {
    const { real, store } = await storeWith(
      { kind: 'fail_after', method: 'write', call: 1 },
      { kind: 'fail_after', method: 'write', call: 2 },
    )
    const lost = { code: 'unavailable', processed: 'unknown' }
    expect(await outcomeOf(store.write('x', bytes('1'), { ifAbsent: true }))).toMatchObject(lost)
    expect(await real.read('x')).toBeDefined()
    // A refusal is lost as well.
    expect(await outcomeOf(store.write('x', bytes('1'), { ifAbsent: true }))).toMatchObject(lost)
  })

  test('duplicated is done twice, and the second answer counts', async () => {
    const { store } = await storeWith(
      { kind: 'duplicate', method: 'write', call: 1 },
      { kind: 'duplicate', method: 'delete', call: 1 },
    )
    const twice = outcomeOf(store.write('x', bytes('1'), { ifAbsent: true }))
    expect(await twice).toMatchObject({ code: 'already_exists' })
    expect(await store.delete('x')).toBe(false)
  })

  test('given up before it was made is left alone', async () => {
    const { store } = await storeWith({ kind: 'fail_before', method: 'write', call: 1 })
    const reason = Symbol('mine')
    const signal = AbortSignal.abort(reason)
    expect(await outcomeOf(store.write('x', bytes('1'), { signal }))).toBe(reason)
    expect(store.injected).toEqual([])
  })

  test('reordered is made after the next one of its method, or when its time is over', async () => {
    const hour = 3_600_000
    const { real, store } = await storeWith(
      { kind: 'reorder', milliseconds: hour, method: 'write', call: 1 },
      { kind: 'reorder', milliseconds: hour, method: 'write', call: 3 },
      { kind: 'reorder', milliseconds: 1, method: 'write', call: 4 },
    )
    const first = store.write('x', bytes('first'))
    await store.read('x')
    expect(await real.read('x')).toBeUndefined()
    await store.write('x', bytes('second'))
    await first
    expect((await real.read('x'))?.value).toEqual(bytes('first'))

    // One that is held back too still goes first.
    const third = store.write('x', bytes('third'))
    await awake(() => store.write('x', bytes('fourth')))
    await third
    expect((await real.read('x'))?.value).toEqual(bytes('third'))
  })
})

describe('locks and elections', () => {
  test('a lock that was granted twice is held once, by the second', async () => {
    const sync = faulty(
      memorySync(),
      scripted([
        { kind: 'duplicate', method: 'lock', call: 1 },
        { kind: 'fail_after', method: 'lock', call: 2 },
      ]),
    )
    const lock = await sync.lock('a')
    expect(lock.lost.aborted).toBe(false)
    await lock.release()
    expect(await outcomeOf(sync.lock('a'))).toMatchObject({ processed: 'unknown' })
    expect((await sync.lock('a', { wait: 0 })).token).toBeGreaterThan(lock.token)
  })

  test.each(['fail_after', 'duplicate'] as const)(
    'one that is given up while it waits rejects with the reason, %s or not',
    async (kind) => {
      const real = memorySync()
      const held = await real.lock('a')
      const sync = faulty(real, scripted([{ kind, method: 'lock', call: 1 }]))
      const controller = new AbortController()
      const waiting = outcomeOf(sync.lock('a', { signal: controller.signal }))
      controller.abort('enough')
      expect(await waiting).toBe('enough')
      await held.release()
    },
  )

  test('what a handle does is faulted by its path, over all handles', async () => {
    const sync = faulty(
      memorySync(),
      scripted([
        { kind: 'fail_before', method: 'leader.campaign', call: 2 },
        { kind: 'cut', items: 1, method: 'leader.observe', call: 1 },
      ]),
    )
    const leadership = await sync.leader('a').campaign({ id: 'me' })
    expect(await outcomeOf(sync.leader('b').campaign())).toMatchObject({ processed: 'no' })
    const changes = await sync.leader('a').observe()
    expect((await changes.next()).value).toMatchObject({ leader: { id: 'me' } })
    expect(await outcomeOf(changes.next())).toMatchObject({ code: 'unavailable' })
    await leadership.resign()
  })
})

describe('closing', () => {
  const held: readonly Injection[] = [
    { kind: 'drop', method: 'read', call: 1 },
    { kind: 'delay', milliseconds: 3_600_000, method: 'write', call: 1 },
    { kind: 'reorder', milliseconds: 3_600_000, method: 'delete', call: 1 },
    { kind: 'drop', method: 'list', call: 1 },
  ]

  test.each([
    ['close', (store: Store) => store.close()],
    ['disposal', (store: Store) => store[Symbol.asyncDispose]()],
  ])('by %s ends all that was held back', async (_name, close) => {
    const { real, store } = await storeWith(...held)
    const waiting = [
      store.read('a'),
      store.write('a', bytes('2')),
      store.delete('a'),
      keysOf(store),
    ].map(outcomeOf)
    await close(store)
    for (const error of await Promise.all(waiting)) {
      expect(MicroError.is(error, 'failed_precondition'), String(error)).toBe(true)
    }
    expect(real.health().status).toBe('down')
  })

  test('once closed, calls end as the component has it', async () => {
    const { store } = await storeWith(...held)
    await store.close()
    await store.close()
    expect(await outcomeOf(store.read('a'))).toMatchObject({ code: 'failed_precondition' })
    expect(await outcomeOf(keysOf(store))).toMatchObject({ code: 'failed_precondition' })
    expect(store.injected).toEqual([])
  })
})
