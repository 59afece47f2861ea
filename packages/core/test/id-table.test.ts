import { IdTable } from '@micro/core/component'
import { expect, test } from 'vitest'

function idsOf(table: IdTable<{ id: number }>): number[] {
  return table
    .all()
    .map(({ id }) => id)
    .toSorted((a, b) => a - b)
}

test('is what a Map would be, whatever comes and goes', () => {
  const table = new IdTable<{ id: number }>()
  const model = new Map<number, { id: number }>()
  let seed = 1
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return (seed >>> 8) % below
  }
  let last = 0
  for (let step = 0; step < 50_000; step++) {
    // Waves of many and of few; now and then one that meets another in the last bits.
    const crowd = step % 10_000 < 5_000 ? 300 : 5
    if (model.size < crowd) {
      last += random(20) === 0 ? 64 * (1 + random(8)) : 1 + random(2)
      const call = { id: last }
      table.add(call)
      model.set(last, call)
    }
    const ids = [...model.keys()]
    // The eldest stay, mostly.
    const gone = ids.at(-1 - random(Math.min(ids.length, 20))) as number
    if (random(3) > 0) expect(table.delete(gone)).toBe(model.delete(gone))
    expect(table.delete(last + 1)).toBe(false)
    const asked = random(last + 2)
    expect(table.get(asked)).toBe(model.get(asked))
    expect(table.size).toBe(model.size)
    if (step % 1_000 === 0) expect(idsOf(table)).toEqual([...model.keys()])
  }
  expect(model.size).toBeGreaterThan(0)
})

test('holds the largest ids, and those above what a signed number of 32 bits can be', () => {
  const table = new IdTable<{ id: number }>()
  const ids = [1, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1]
  for (const id of ids) table.add({ id })
  for (const id of ids) expect(table.get(id)).toEqual({ id })
  expect(table.get(0)).toBeUndefined()
  expect(idsOf(table)).toEqual(ids)
})
